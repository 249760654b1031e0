"""What a run reports while it goes on; the command line decides how to show it."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class LiveStatus:
    """The state of a run at one moment."""

    at_s: float
    end_s: float
    phase: str
    offered_rps: float
    achieved_rps: float
    codes: dict[str, int] = field(default_factory=dict)
    """Responses so far by status code (``0``: no response), in order of code."""
    faults: tuple[str, ...] = ()
    """The faults that are active now."""


class Progress(Protocol):
    """Receives the progress of a run."""

    def step(self, text: str) -> None:
        """A new step of the run has begun."""
        ...

    def tick(self, status: LiveStatus) -> None:
        """Called about twice a second during the load."""
        ...


class QuietProgress:
    """Shows nothing."""

    def step(self, text: str) -> None:
        """Nothing."""

    def tick(self, status: LiveStatus) -> None:
        """Nothing."""
