"""A test on real parts that failed while the machine stood still is played again, and the summary says so.

Such tests rest on times: a step's timeout, a breaker's reset. On a shared machine everything may stop for longer
than that, and then the test has shown nothing; like a run whose load fell short it is inconclusive. What
stood still is measured, never assumed: a thread that wants to wake every 20 ms notes when it could not. A failure
without a stall is a failure at once, and one that fails each time is one too. Unit and house tests are never
played again.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import pytest

BEAT_S = 0.02
STALL_S = 0.25
"""From here on a wake-up is late enough to count: more than a busy machine shows by itself."""
AGAIN = 2
PURE = ("tests/unit/", "tests/meta/")


class StallWatch:
    """Notes each time when this process could not run for ``STALL_S``; started by ``start``, ended by ``stop``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stalls: deque[tuple[float, float]] = deque(maxlen=1000)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="stall-watch", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End; waits for the thread."""
        self._over.set()
        self._thread.join()

    def since(self, began_s: float) -> list[float]:
        """How long each stall took that ended after ``began_s`` (of the clock), in seconds."""
        return [took_s for ended_s, took_s in tuple(self._stalls) if ended_s > began_s]

    def note(self, meant_s: float, woke_s: float) -> None:
        """A wake-up that was meant for one moment and came at another."""
        if woke_s - meant_s >= STALL_S:
            self._stalls.append((woke_s, woke_s - meant_s))

    def _beat(self) -> None:
        while not self._over.is_set():
            meant_s = self._clock() + BEAT_S
            self._over.wait(BEAT_S)
            self.note(meant_s, self._clock())


class Replay:
    """The plugin: marks what may be played again, and when it may."""

    def __init__(self, watch: StallWatch, clock: Callable[[], float] = time.monotonic) -> None:
        self._watch, self._clock = watch, clock
        self._began_s = clock()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Whatever uses a real part, unless it says otherwise itself."""
        again = pytest.mark.flaky(reruns=AGAIN, condition=self.stood_still)
        for item in items:
            if not item.nodeid.startswith(PURE):
                item.add_marker(again)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """An attempt begins: what stood still before it does not count."""
        self._began_s = self._clock()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """A failure says what the machine did meanwhile."""
        outcome = yield
        report = outcome.get_result()
        if report.failed and hasattr(report.longrepr, "addsection") and self.stood_still():
            longest = ", ".join(f"{took_s:.2f} s" for took_s in self._watch.since(self._began_s))
            report.longrepr.addsection("the machine stood still meanwhile", longest)

    def stood_still(self) -> bool:
        """Whether the attempt under way met a stall."""
        return bool(self._watch.since(self._began_s))

    def pytest_unconfigure(self) -> None:
        """End the watch."""
        self._watch.stop()


def watch_the_machine(config: pytest.Config) -> None:
    """Called by the process that plays tests, as it is configured."""
    watch = StallWatch()
    watch.start()
    config.pluginmanager.register(Replay(watch))
