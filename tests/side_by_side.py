"""Under ``pytest -n 2``: modules are played on two workers at once, save those that need the machine to themselves.

A module is marked ``alone`` where its outcome rests on what the machine gives: on real runs under load, on
how long something takes, on Docker. Such modules come last, and none begins before the other worker's test
has ended. Without ``-n`` nothing of this applies: one test after another.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TURNS = "aguante_turns"
TOGETHER = (
    "tests/containers/",
    "tests/e2e/",
    "tests/integration/observed/",
    "tests/integration/one_testbed/",
)
"""Folders whose tests share a testbed or real runs, and therefore a worker."""


class ByModule(LoadScopeScheduling):
    """A module stays on one worker, for its fixtures, and so does each folder of TOGETHER."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::", 1)[0]
        return next((folder for folder in TOGETHER if module.startswith(folder)), module)


class Turns:
    """Who may play now: any number side by side, or one alone. In order of asking, so that nobody waits for ever."""

    def __init__(self, folder: Path) -> None:
        self._queue = (folder / "queue").open("a")
        self._machine = (folder / "machine").open("a")
        self._mine: Path | None = None

    def take(self, item: pytest.Item) -> None:
        """Wait for the machine; a module that has it alone keeps it from test to test."""
        if self._mine == item.path:
            return
        alone = is_alone(item)
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        fcntl.flock(self._machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._queue, fcntl.LOCK_UN)
        self._mine = item.path if alone else None

    def leave(self, following: pytest.Item | None) -> None:
        """Let others play, unless the module that had it alone goes on."""
        if self._mine is None or following is None or following.path != self._mine:
            fcntl.flock(self._machine, fcntl.LOCK_UN)
            self._mine = None

    def close(self) -> None:
        """Give back what is held, and ask no more."""
        self._queue.close()
        self._machine.close()


def is_alone(item: pytest.Item) -> bool:
    """Whether the test's module is marked so."""
    return item.get_closest_marker("alone") is not None


ORDER = ("tests/e2e/", "tests/integration/", "tests/contract/", "tests/browser/")


def _rank(item: pytest.Item) -> tuple[bool, int]:
    kinds = [at for at, folder in enumerate(ORDER) if item.nodeid.startswith(folder)]
    return is_alone(item), kinds[0] if kinds else len(ORDER)


class Controller:
    """The plugin of the process that hands out modules."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="aguante-turns-"))

    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where to ask for its turn."""
        node.workerinput[TURNS] = str(self._folder)

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> ByModule:
        """Modules in the order of the collection."""
        config.option.loadscopereorder = False
        return ByModule(config, log)

    def pytest_unconfigure(self) -> None:
        """Nothing of it is left."""
        shutil.rmtree(self._folder)


class Worker:
    """The plugin of a process that plays them."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Longest first: real runs, then other real parts, then what is pure; what needs the machine alone is last."""
        items.sort(key=_rank)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Iterator[None]:
        """From the first fixture's start to the last one's end."""
        self._turns.take(item)
        yield
        self._turns.leave(nextitem)

    def pytest_unconfigure(self) -> None:
        """Give back what is held."""
        self._turns.close()
