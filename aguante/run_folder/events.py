"""What the runner did and when: one JSON object a line in the run folder's ``events.jsonl``.

``at_s`` is seconds since t0 by the runner's monotonic clock, ``epoch_ns`` the wall clock at t0 so
that spans (epoch nanoseconds) and records (seconds since t0) can be laid on one axis.
"""

from typing import Literal

from aguante.core.values import Value

STARTED_ANEW = "started anew"
"""In the evidence of a process fault: another process stands in its place."""


class RunStarted(Value):
    """t0 was handed out."""

    kind: Literal["t0"] = "t0"
    epoch_ns: int


class FaultChanged(Value):
    """A fault was applied, undone, or verified undone by its driver."""

    kind: Literal["fault"] = "fault"
    id: str
    action: Literal["applied", "undone", "verified"]
    planned_s: float
    at_s: float
    """When it was done."""
    began_s: float | None = None
    """When the driver began to do it. It took effect between this and ``at_s``: a killed container is known to be
    dead only some 0.3 s after its callers have felt it."""
    evidence: str = ""
    """What the driver read back from the real part after acting."""
    error: str = ""
    """Why the action failed, or empty."""


class LoadFinished(Value):
    """The load generator's own summary."""

    kind: Literal["load"] = "load"
    offered: int
    sent: int
    shed: int
    completed: int
    exit_code: int
    clock_error_ms: float = 0.0
    """By how much a worker's clock may differ from the others', at most; 0: they share one."""


class Settled(Value):
    """Whether the system came to rest after the load and the faults ended."""

    kind: Literal["settled"] = "settled"
    settled: bool
    took_s: float
    unsettled: int
    """Rows still under way at the last read; -1: the database could not be read."""


class Stopped(Value):
    """The run ended early."""

    kind: Literal["stopped"] = "stopped"
    at_s: float
    reason: str


class CollectorClosed(Value):
    """What the trace collector saw."""

    kind: Literal["collector"] = "collector"
    requests: int
    bytes: int
    spans_dropped: int
    """Sum of the services' own drop counters; -1 when they could not be read."""
    refused: int = 0
    """Exports that the collector could not write to disk; some may have been sent again."""
    refused_because: str = ""


class Announced(Value):
    """How often Prometheus was told which phase the run is in and which faults hold; there was one to tell."""

    kind: Literal["announced"] = "announced"
    taken: int
    failed: int
    """It did not take so many; what it shows has holes there."""


RunEvent = (
    RunStarted | FaultChanged | LoadFinished | Settled | Stopped | CollectorClosed | Announced
)
