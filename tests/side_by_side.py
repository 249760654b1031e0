"""Scheduling under ``pytest -n 2``: two workers execute modules in parallel, except modules that are marked ``alone``.

A module is marked ``alone`` if its outcome depends on the machine's free capacity. Such modules come last, and
none starts before the other worker's current test has ended. Without ``-n`` none of this applies.
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
ORDER = ("tests/e2e/", "tests/integration/", "tests/contract/", "tests/browser/")
"""What takes longest starts first; everything else follows."""


class ByModule(LoadScopeScheduling):
    """A module stays on one worker, for its fixtures, and so does each folder of TOGETHER."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::", 1)[0]
        return next((folder for folder in TOGETHER if module.startswith(folder)), module)


class Turns:
    """A lock between workers: any number of modules in parallel, or one alone. First come, first served."""

    def __init__(self, folder: Path) -> None:
        self._queue = (folder / "queue").open("a")
        self._machine = (folder / "machine").open("a")
        self._mine: Path | None = None

    def take(self, item: pytest.Item) -> None:
        """Wait for the lock; a module that is alone keeps it from test to test."""
        if self._mine == item.path:
            return
        alone = is_alone(item)
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        fcntl.flock(self._machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._queue, fcntl.LOCK_UN)
        self._mine = item.path if alone else None

    def leave(self, following: pytest.Item | None) -> None:
        """Release the lock, unless the next test is of the same module that is alone."""
        if self._mine is None or following is None or following.path != self._mine:
            fcntl.flock(self._machine, fcntl.LOCK_UN)
            self._mine = None

    def close(self) -> None:
        """Release the lock for good."""
        self._queue.close()
        self._machine.close()


def is_alone(item: pytest.Item) -> bool:
    """Whether the test is marked so."""
    return item.get_closest_marker("alone") is not None


def _rank(item: pytest.Item) -> tuple[bool, int]:
    kinds = [at for at, folder in enumerate(ORDER) if item.nodeid.startswith(folder)]
    return is_alone(item), kinds[0] if kinds else len(ORDER)


class Controller:
    """The plugin of the process that distributes modules."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="aguante-turns-"))

    def pytest_configure_node(self, node: Any) -> None:
        """Pass the folder of the lock to a worker."""
        node.workerinput[TURNS] = str(self._folder)

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> ByModule:
        """Distribute modules in the order of the collection."""
        config.option.loadscopereorder = False
        return ByModule(config, log)

    def pytest_unconfigure(self) -> None:
        """Remove the folder of the lock."""
        shutil.rmtree(self._folder)


class Worker:
    """The plugin of a process that executes modules."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort by ORDER; modules that are alone come last, so that both workers have work until then."""
        items.sort(key=_rank)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Iterator[None]:
        """Hold the lock from the first fixture's setup to the last one's teardown."""
        self._turns.take(item)
        yield
        self._turns.leave(nextitem)

    def pytest_unconfigure(self) -> None:
        """Release the lock."""
        self._turns.close()
