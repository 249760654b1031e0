"""Causes, latencies and goodput of each phase and each second."""

from collections import defaultdict

from aguante.expectations.percentiles import percentiles_of
from aguante.measure.measures import Cause, CauseStory, PhaseMeasure, SecondCauses, SecondLatency
from aguante.measure.run_evidence import RunEvidence
from aguante.plan.plan import Window

PERCENTILES = (0.50, 0.95, 0.99)

_CAUSES = """
    SELECT status, origin, link, mechanism, count(*) FROM requests WHERE phase = $phase
    GROUP BY status, origin, link, mechanism
    ORDER BY status <> 200, count(*) DESC, status, mechanism, origin, link
"""
_GOOD_LATENCIES = """
    SELECT latency_ms AS value FROM requests WHERE phase = $phase AND status = 200
"""
_SECONDS = """
    SELECT floor(intended_s)::INTEGER AS second, status, origin, link, mechanism, count(*)
    FROM requests WHERE intended_s >= 0
    GROUP BY ALL ORDER BY second, status, mechanism, origin, link
"""
_LATENCIES = """
    SELECT floor(intended_s)::INTEGER AS second,
           quantile_disc(latency_ms, 0.5), quantile_disc(latency_ms, 0.95),
           quantile_disc(latency_ms, 0.5) FILTER (status = 200),
           quantile_disc(latency_ms, 0.95) FILTER (status = 200)
    FROM requests WHERE intended_s >= 0 GROUP BY second ORDER BY second
"""
_STORY = """
    SELECT status, origin, link, mechanism, count(*) AS requests,
           count(*) / (SELECT count(*) FROM requests WHERE phase = 'fault') AS share,
           min(ended_s) - $start_s AS first_after_s, max(ended_s) - $start_s,
           quantile_disc(latency_ms, 0.5)
    FROM requests WHERE phase = 'fault' AND ended_s >= $start_s
    GROUP BY ALL ORDER BY first_after_s, status, mechanism, origin, link
"""


def measure_phases(evidence: RunEvidence) -> tuple[PhaseMeasure, ...]:
    """Every phase of the plan, also those without requests."""
    return tuple(_phase(evidence, window) for window in evidence.plan.phases)


def _phase(evidence: RunEvidence, window: Window) -> PhaseMeasure:
    causes = [_cause(*row) for row in evidence.rows(_CAUSES, phase=window.phase)]
    _, latencies = percentiles_of(evidence, _GOOD_LATENCIES, PERCENTILES, phase=window.phase)
    requests = sum(cause.requests for cause in causes)
    good = sum(cause.requests for cause in causes if cause.status == 200)
    length_s = window.end_s - window.start_s
    return PhaseMeasure(
        phase=window.phase,
        start_s=window.start_s,
        end_s=window.end_s,
        requests=requests,
        causes=tuple(causes),
        latency_of_200=latencies,
        offered_rps=requests / length_s,
        goodput_rps=good / length_s,
    )


def _cause(status: int, origin: str, link: str, mechanism: str, requests: int) -> Cause:
    return Cause(status=status, origin=origin, link=link, mechanism=mechanism, requests=requests)


def measure_seconds(evidence: RunEvidence) -> tuple[SecondCauses, ...]:
    """Causes per second of intended start."""
    seconds: dict[int, list[Cause]] = defaultdict(list)
    for second, *cause in evidence.rows(_SECONDS):
        seconds[second].append(_cause(*cause))
    return tuple(SecondCauses(second=at, causes=tuple(causes)) for at, causes in seconds.items())


def measure_latency(evidence: RunEvidence) -> tuple[SecondLatency, ...]:
    """Latency per second of intended start: for charts, since a second has too few requests to be judged."""
    return tuple(
        SecondLatency(second=second, p50_ms=p50, p95_ms=p95, p50_of_200_ms=ok50, p95_of_200_ms=ok95)
        for second, p50, p95, ok50, ok95 in evidence.rows(_LATENCIES)
    )


def measure_story(evidence: RunEvidence) -> tuple[CauseStory, ...]:
    """The causes of the fault phase in the order in which clients first saw them."""
    start_s = evidence.first_fault_s
    if start_s is None:
        return ()
    names = ("status", "origin", "link", "mechanism", "requests", "share")
    more = ("first_after_s", "last_after_s", "p50_ms")
    return tuple(
        CauseStory.model_validate(dict(zip((*names, *more), row, strict=True)))
        for row in evidence.rows(_STORY, start_s=start_s)
    )
