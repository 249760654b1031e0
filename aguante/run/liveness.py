"""Ends a run when a part that all of it depends on dies, since such a run proves nothing.

Services are not among these parts: what happens when one dies is for the verdict to judge.
"""

import asyncio
from collections.abc import Callable, Mapping

from aguante.testbed.runtime import Alive

POLL_S = 0.2

TOXIPROXY, LOAD = "toxiproxy", "the load generator"


class LivenessMonitor:
    """Watches processes or containers.

    Args:
        parts: name -> whether it is alive. A part that is not alive at the start counts as ended.
    """

    def __init__(self, parts: Mapping[str, Alive]) -> None:
        self._parts = parts
        self.reason = ""
        """Which part ended, as a clause; empty: none did while ``run`` watched."""

    def ended(self, name: str) -> bool:
        """Whether this part is watched and has ended."""
        return name in self._parts and not self._parts[name]()

    async def run(self, stop: asyncio.Event, now_s: Callable[[], float], load_end_s: float) -> None:
        """Watch until a part has ended, then keep the reason, set ``stop`` and return.

        Args:
            stop: ends the run.
            now_s: seconds since t0.
            load_end_s: from then on the load generator may end.
        """
        while not self.reason:
            for name in self._parts:
                may_end = name == LOAD and now_s() >= load_end_s
                if not may_end and self.ended(name):
                    self.reason = f"{name} ended by itself, {now_s():.1f} s into the run"
                    stop.set()
                    return
            await asyncio.sleep(POLL_S)
