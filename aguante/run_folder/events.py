"""The events of a run log: what the runner did and when, one JSON object per line of ``events.jsonl``.

``at_s`` is seconds since t0 by the runner's monotonic clock. ``epoch_ns`` is the wall clock at t0, which relates spans
(epoch nanoseconds) to records (seconds since t0).
"""

from typing import Literal

from aguante.core.values import Count, Value

STARTED_ANEW = "started anew"
"""In the evidence of a process fault: a new process has taken the place of the old one."""


class RunStarted(Value):
    """The load generator was given t0."""

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
    """When the driver began. The fault took effect between this and ``at_s``: Docker reports the end of a killed
    container some 0.3 s after its callers have noticed it."""
    evidence: str = ""
    """The state that the driver read back afterwards."""
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
    """Upper bound of the difference between two workers' clocks; 0: they share one."""


class Settled(Value):
    """Whether the system settled after load and faults had ended."""

    kind: Literal["settled"] = "settled"
    settled: bool
    took_s: float
    unsettled: Count
    """Unfinished rows at the last read; None: the database could not be read."""


class Stopped(Value):
    """The run ended early."""

    kind: Literal["stopped"] = "stopped"
    at_s: float
    reason: str


class CollectorClosed(Value):
    """Totals of the trace collector."""

    kind: Literal["collector"] = "collector"
    requests: int
    bytes: int
    spans_dropped: Count
    """Sum of the services' drop counters; None: one could not be read."""
    refused: int = 0
    """Exports that the collector could not write to disk; some may have been sent again later."""
    refused_because: str = ""


class PhasesPublished(Value):
    """How many pushes of phases and faults Prometheus accepted; only if there is a Prometheus."""

    kind: Literal["announced"] = "announced"
    taken: int
    failed: int
    """Pushes that it did not accept; its series have gaps there."""


RunEvent = (
    RunStarted | FaultChanged | LoadFinished | Settled | Stopped | CollectorClosed | PhasesPublished
)
