"""What a verdict and a report need: hundreds of values, never rows of requests.

Units end names: ``_s`` seconds since t0 (or a length in seconds), ``_ms`` milliseconds, ``_rps`` per second.
"""

from aguante.core.values import Count, Value
from aguante.expectations.amplification import LinkAmplification
from aguante.expectations.breaker import BreakerTransition
from aguante.expectations.evidence import LoadMeasure
from aguante.expectations.measurement import Measurement
from aguante.expectations.percentiles import Percentile
from aguante.expectations.recovery import RecoveryMeasure


class Cause(Value):
    """How many requests ended with this status for this reason."""

    status: int
    origin: str
    link: str
    mechanism: str
    """Empty together with origin and link for a success."""
    requests: int


class PhaseMeasure(Value):
    """One phase; a request belongs to the phase of its intended start."""

    phase: str
    start_s: float
    end_s: float
    requests: int
    causes: tuple[Cause, ...]
    latency_of_200: tuple[Percentile, ...]
    """p50, p95, p99."""
    offered_rps: float
    goodput_rps: float
    """200s per second."""


class AttributionMeasure(Value):
    """How many non-200 responses name their origin, link and mechanism."""

    failures: int
    attributed: int
    confirmed_by_spans: int
    """Failures with a span of the same ``error.type`` in their trace."""
    contradicted_by_spans: int
    unexplained: tuple[Cause, ...]


class FaultMeasure(Value):
    """One fault: planned and actual times, and whether the caller's attempts show it."""

    id: str
    link: str
    """Empty for a fault on a service."""
    service: str = ""
    """The affected service, or one instance of it; empty for a fault on a link."""
    kind: str
    """The toxic (or ``down``), the action on a process, or Pumba's command."""
    planned_start_s: float
    planned_end_s: float
    actual_start_s: float | None
    """When the driver began to apply it; no attempt can show it earlier."""
    actual_held_s: float | None = None
    """From when on it was certainly active."""
    actual_end_s: float | None
    undone_verified: bool
    attempts_in_window: int
    attempts_bitten: int
    """Attempts that show the fault."""
    injection_observed: bool
    evidence: str


class InvariantMeasure(Value):
    """One safety invariant, read from the databases and the client's ledger."""

    name: str
    exposure: int
    """How many rows could have violated it; 0: this run does not test it."""
    violations: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first 20 offending rows, as text."""
    story: str = ""
    """The invariant in numbers, for a headline (``0 orphaned charges (67 refunded or voided)``); may be empty."""
    error: str = ""
    """Why it could not be read, or empty."""


class SpanHealth(Value):
    """Whether the traces are complete."""

    spans: int
    traces: int
    dropped: Count
    """None: not known."""
    lost_because: str = ""
    """Why the runner lost spans that it received, or empty."""


class PhasePushes(Value):
    """Pushes of phases and faults to Prometheus; a failed push leaves a gap in the dashboards."""

    taken: int
    failed: int


class CauseStory(Value):
    """One cause during the faults: when it was first and last seen, and its latency."""

    status: int
    origin: str
    link: str
    mechanism: str
    requests: int
    share: float
    """Of all requests of the fault phase."""
    first_after_s: float
    """From the start of the first fault to the end of the first such response."""
    last_after_s: float
    p50_ms: float


class SecondCauses(Value):
    """Requests by cause in one second of intended start: the chart's data."""

    second: int
    causes: tuple[Cause, ...]


class SecondLatency(Value):
    """Latency in one second of intended start, over all responses and over 200s."""

    second: int
    p50_ms: float | None
    p95_ms: float | None
    p50_of_200_ms: float | None
    p95_of_200_ms: float | None


class SampleSpan(Value):
    """A span of a sample trace, for the waterfall."""

    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    start_ms: float
    """Since the trace's first span."""
    duration_ms: float
    link: str
    attempt: int
    error_type: str
    status_code: int
    events: tuple[tuple[float, str], ...]
    """(ms since the trace's first span, text)."""


class SampleTrace(Value):
    """An example trace, chosen as the first of its cause."""

    trace_id: str
    at_s: float
    operation: str
    status: int
    mechanism: str
    link: str
    spans: tuple[SampleSpan, ...]


class Measures(Value):
    """Everything that was measured in one run."""

    phases: tuple[PhaseMeasure, ...]
    measurements: tuple[Measurement, ...]
    """Of each expectation, in the plan's order."""
    abort_measurements: tuple[Measurement, ...]
    """Of each abort condition, in the plan's order."""
    amplification: tuple[LinkAmplification, ...]
    breakers: tuple[BreakerTransition, ...]
    attribution: AttributionMeasure
    recovery: RecoveryMeasure
    load: LoadMeasure
    faults: tuple[FaultMeasure, ...]
    invariants: tuple[InvariantMeasure, ...]
    settled: bool | None
    """None: the run ended before this could be checked."""
    settle_took_s: float | None
    spans: SpanHealth
    seconds: tuple[SecondCauses, ...]
    latency: tuple[SecondLatency, ...]
    samples: tuple[SampleTrace, ...]
    stopped: str = ""
    """Why the run ended early, or empty."""
    story: tuple[CauseStory, ...] = ()
    """Causes of the fault phase, in the order of their first response."""
    phase_pushes: PhasePushes | None = None
    """None: there was no Prometheus, or the run ended before the pushes were counted."""
