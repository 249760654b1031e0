"""Modules that are marked ``alone`` have the machine to themselves, whatever the other worker plays."""

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
    """Makes one more worker of the same run."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(Turns(tmp_path)))


def item(name: str, *, alone: bool = False) -> Any:
    """What a turn looks at."""
    mark = pytest.mark.alone if alone else None
    return SimpleNamespace(path=Path(name), get_closest_marker=lambda _: mark)


def asking(turns: Turns, asked: Any) -> threading.Event:
    """Another worker that waits for its turn, told as it comes."""
    came = threading.Event()

    def take() -> None:
        turns.take(asked)
        came.set()

    threading.Thread(target=take, daemon=True).start()
    return came


def test_others_are_played_side_by_side(worker: Worker) -> None:
    """Neither waits for the other."""
    worker().take(item("a.py"))
    came = asking(worker(), item("b.py"))
    assert came.wait(SOON_S)


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_who_is_alone_is_waited_for_and_waits(worker: Worker, *, first: bool, second: bool) -> None:
    """From the start of one to its end the other does not begin."""
    one = worker()
    one.take(item("a.py", alone=first))
    came = asking(worker(), item("b.py", alone=second))
    assert not came.wait(NOT_YET_S)
    one.leave(None)
    assert came.wait(SOON_S)


def test_a_module_that_is_alone_keeps_the_machine_between_its_tests(worker: Worker) -> None:
    """Its fixtures may have something running; the next module gives it away."""
    one, own = worker(), item("a.py", alone=True)
    one.take(own)
    came = asking(worker(), item("b.py"))
    one.leave(own)
    one.take(own)
    assert not came.wait(NOT_YET_S)
    one.leave(item("c.py", alone=True))
    assert came.wait(SOON_S)


def test_who_waits_to_be_alone_is_not_passed_by(worker: Worker) -> None:
    """A third who could play beside the first comes after the one who asked before him."""
    one, two, three = (worker() for _ in range(3))
    one.take(item("a.py"))
    second = asking(two, item("b.py", alone=True))
    assert not second.wait(NOT_YET_S)
    third = asking(three, item("c.py"))
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
