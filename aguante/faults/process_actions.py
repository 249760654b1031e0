"""What can be done to a process: the one table that YAML and driver share.

Standard library only, so that validating a file imports nothing of the driver.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessAction:
    """One action: what it does, and how it is undone."""

    name: str
    meaning: str
    past: str
    """As a report tells it: ``payments killed for 5 s``."""


_ACTIONS = (
    ProcessAction("kill", "SIGKILL; afterwards it is started again", "killed"),
    ProcessAction("stop", "SIGTERM, it ends in order; afterwards it is started again", "stopped"),
    ProcessAction("pause", "SIGSTOP, nothing answers; afterwards SIGCONT", "paused"),
    ProcessAction("restart", "SIGTERM, and started again at once", "restarted"),
)

ACTIONS: Mapping[str, ProcessAction] = {action.name: action for action in _ACTIONS}
"""By name: what signals can do, so every runtime can."""

CONTAINER_ACTIONS = ("rm", "exec", "netem", "loss", "stress")
"""What Pumba does to containers; a plain process has no network, image or limits of its own."""


def refusal(action: str) -> str:
    """Why an action cannot be had where the services run as plain processes; empty: it can."""
    if action in CONTAINER_ACTIONS:
        return (
            f"{action} comes with containers (pumba: ...); here {', '.join(ACTIONS)} act by signal"
        )
    return ""
