"""The load generator with workers as on other machines: each with its own boot id and its own clock."""

import os
import sys
import time

from loadtests import processes, worker
from loadtests.child import main


class RemoteWorker(worker.Worker):
    """A worker whose clock is ahead by its process id in seconds, so that no two clocks agree."""

    def __init__(self, runner: worker.WorkerRunner) -> None:
        super().__init__(runner, clock=lambda: time.monotonic() + os.getpid())


if __name__ == "__main__":
    worker.clock_id = lambda: "another machine"
    processes.Worker = RemoteWorker  # type: ignore[misc]
    sys.exit(main())
