"""Notices when a part that the whole run rests on ends by itself: such a run proves nothing, and need not go on.

Services are not among them: what becomes of a system whose service dies is for the verdict to say.
"""

import asyncio
from collections.abc import Callable, Mapping

from aguante.testbed.runtime import Alive

EVERY_S = 0.2

TOXIPROXY, LOAD = "toxiproxy", "the load generator"


class PartsWatch:
    """Follows processes or containers.

    Args:
        parts: name -> whether it still runs. One that does not already counts as ended.
    """

    def __init__(self, parts: Mapping[str, Alive]) -> None:
        self._parts = parts
        self.reason = ""
        """Which part ended by itself, as a clause; empty: none did while ``run`` looked."""

    def ended(self, name: str) -> bool:
        """Whether this part is known and has ended."""
        return name in self._parts and not self._parts[name]()

    async def run(self, stop: asyncio.Event, now_s: Callable[[], float], load_end_s: float) -> None:
        """Look until a part has ended; then say which, set ``stop`` and return.

        Args:
            stop: ends the run.
            now_s: seconds since t0.
            load_end_s: from then on the load generator may end.
        """
        while not self.reason:
            for name in self._parts:
                due = name == LOAD and now_s() >= load_end_s
                if not due and self.ended(name):
                    self.reason = f"{name} ended by itself, {now_s():.1f} s into the run"
                    stop.set()
                    return
            await asyncio.sleep(EVERY_S)
