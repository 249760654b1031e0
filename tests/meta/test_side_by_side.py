"""A module that is marked ``alone`` is executed while the other worker waits."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from side_by_side import ByModule, Turns

SOON_S = 10.0
NOT_YET_S = 0.2


Worker = Callable[[], Turns]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Makes another worker of the same session."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(Turns(tmp_path)))


def item(name: str, *, alone: bool = False) -> Any:
    """A fake test of a module."""
    mark = pytest.mark.alone if alone else None
    return SimpleNamespace(path=Path(name), get_closest_marker=lambda _: mark)


def waiting(turns: Turns, asked: Any) -> threading.Event:
    """Another worker that waits for its turn; the event is set when it has it."""
    came = threading.Event()

    def take() -> None:
        turns.take(asked)
        came.set()

    threading.Thread(target=take, daemon=True).start()
    return came


def test_other_modules_are_executed_in_parallel(worker: Worker) -> None:
    """Neither worker waits for the other."""
    worker().take(item("a.py"))
    came = waiting(worker(), item("b.py"))
    assert came.wait(SOON_S)


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_a_module_that_is_alone_waits_and_is_waited_for(
    worker: Worker, *, first: bool, second: bool
) -> None:
    """Neither module begins during the other."""
    one = worker()
    one.take(item("a.py", alone=first))
    came = waiting(worker(), item("b.py", alone=second))
    assert not came.wait(NOT_YET_S)
    one.leave(None)
    assert came.wait(SOON_S)


def test_a_module_that_is_alone_keeps_the_machine_between_its_tests(worker: Worker) -> None:
    """Its fixtures may still run something; the lock is released before the next module."""
    one, own = worker(), item("a.py", alone=True)
    one.take(own)
    came = waiting(worker(), item("b.py"))
    one.leave(own)
    one.take(own)
    assert not came.wait(NOT_YET_S)
    one.leave(item("c.py", alone=True))
    assert came.wait(SOON_S)


def test_a_waiting_module_is_not_overtaken(worker: Worker) -> None:
    """A module that could be executed beside the first one comes after a module that waited before."""
    one, two, three = (worker() for _ in range(3))
    one.take(item("a.py"))
    second = waiting(two, item("b.py", alone=True))
    assert not second.wait(NOT_YET_S)
    third = waiting(three, item("c.py"))
    assert not third.wait(NOT_YET_S)
    one.leave(None)
    assert second.wait(SOON_S)
    assert not third.is_set()
    two.leave(None)
    assert third.wait(SOON_S)


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/unit/a/test_b.py::test_c[x::y]", "tests/unit/a/test_b.py"),
        ("tests/containers/test_b.py::test_c", "tests/containers/"),
        ("tests/integration/observed/test_d.py::test_c", "tests/integration/observed/"),
    ],
)
def test_a_module_stays_on_one_worker_and_so_does_a_folder_that_shares_a_testbed(
    nodeid: str, scope: str
) -> None:
    """For the fixtures that they share."""
    assert ByModule._split_scope(None, nodeid) == scope  # type: ignore[arg-type]
