"""The load generator with workers as on other machines: a boot of their own, and clocks that show another time."""

import os
import sys
import time

from loadtests import hand, players
from loadtests.child import main


class FarHand(hand.Hand):
    """A worker whose clock is ahead by its process's number in seconds: no two agree, and none with the master's."""

    def __init__(self, runner: hand.WorkerRunner) -> None:
        super().__init__(runner, clock=lambda: time.monotonic() + os.getpid())


if __name__ == "__main__":
    hand.clock_id = lambda: "of another machine"
    players.Hand = FarHand  # type: ignore[misc]
    sys.exit(main())
