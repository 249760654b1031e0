"""A realistic run of ``payments-slow``, made by hand: what the pages are looked at and tested with.

60 requests a second (45 reserve, 15 read). Warm-up 0-2 s, baseline 2-8 s, fault 8-20 s, recovery 20-30 s.
"""

from collections import Counter
from typing import NamedTuple

from report_samples import sample_traces

from aguante.expectations.amplification import LinkAmplification
from aguante.expectations.breaker import BreakerTransition
from aguante.expectations.evidence import LoadMeasure
from aguante.expectations.measurement import Measurement
from aguante.expectations.percentiles import Percentile
from aguante.expectations.recovery import RecoveryMeasure
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.measure.measures import (
    AttributionMeasure,
    Cause,
    FaultMeasure,
    InvariantMeasure,
    Measures,
    PhaseMeasure,
    SecondCauses,
    SecondLatency,
    SpanHealth,
)
from aguante.plan.plan import Plan, PlannedLoad, PlannedSetup, Window
from aguante.verdict.verdict import ExpectationResult, InvariantResult, Verdict

LINK = "reservations-payments"
OK = (200, "", "", "")
SATURATED = (429, "gateway", "client-gateway", "semaphore_full")
TIMEOUT = (504, "reservations", LINK, "timeout")
OPEN = (503, "reservations", LINK, "breaker_open")
WINDOWS = (("warmup", 0, 2), ("baseline", 2, 8), ("fault", 8, 20), ("recovery", 20, 30))
INVARIANTS = (
    ("seats_add_up", 8),
    ("confirmed_has_one_allocation", 702),
    ("confirmed_has_one_charge", 702),
    ("no_stray_charge", 77),
    ("no_orphan_allocation", 620),
    ("acknowledged_is_kept", 702),
    ("definite_failure_never_confirmed", 743),
    ("one_confirmed_per_key", 1322),
)


class Run(NamedTuple):
    """The three values a report is made from."""

    plan: Plan
    measures: Measures
    verdict: Verdict


def _second(second: int) -> dict[tuple[int, str, str, str], int]:
    """Requests by cause that were meant to start in this second."""
    story = {
        8: {OK: 15, TIMEOUT: 45},
        9: {OK: 7, TIMEOUT: 19, SATURATED: 34},
        10: {OK: 1, SATURATED: 59},
        11: {OK: 12, SATURATED: 9, TIMEOUT: 3, OPEN: 36},
        16: {OK: 15, TIMEOUT: 1, OPEN: 44},
        24: {OK: 55, OPEN: 5},
    }
    if second in story:
        return story[second]
    if 12 <= second < 24:
        return {OK: 15, OPEN: 45}
    return {OK: 60}


def _causes(counts: dict[tuple[int, str, str, str], int]) -> tuple[Cause, ...]:
    return tuple(
        Cause(status=s, origin=o, link=link, mechanism=m, requests=n)
        for (s, o, link, m), n in counts.items()
    )


def _latency(second: int) -> SecondLatency:
    slow = {8: (3002.0, 3009.0), 9: (4.1, 3011.0), 10: (2.2, 6.5), 11: (21.0, 3004.0)}
    p50, p95 = slow.get(second, (9.8 + second % 3, 31.0 + 4 * (second % 4)))
    if 12 <= second < 24:
        p50, p95 = 24.0 + second % 3, 38.0 + second % 5
    good = None if second == 10 else 4.0 if 8 <= second < 24 else p50
    return SecondLatency(
        second=second,
        p50_ms=p50,
        p95_ms=p95,
        p50_of_200_ms=good,
        p95_of_200_ms=None if good is None else good * 3.4,
    )


def _phase(name: str, start: int, end: int) -> PhaseMeasure:
    counts: Counter[tuple[int, str, str, str]] = Counter()
    for second in range(start, end):
        counts.update(_second(second))
    return PhaseMeasure(
        phase=name,
        start_s=start,
        end_s=end,
        requests=counts.total(),
        causes=_causes(counts),
        latency_of_200=(
            Percentile(p=0.5, value_ms=10.4, low_ms=9.9, high_ms=11.0),
            Percentile(p=0.95, value_ms=33.8, low_ms=30.1, high_ms=39.5),
            Percentile(p=0.99, value_ms=61.0, low_ms=None, high_ms=None),
        ),
        offered_rps=60.0,
        goodput_rps=round(counts[OK] / (end - start), 2),
    )


def make_plan() -> Plan:
    """The plan of the run."""
    toxic = ToxiproxyFault(
        link=LINK, toxic="latency", attributes=(("latency", 3500), ("jitter", 200))
    )
    return Plan(
        run_id="20251124T033400Z-payments-slow-9f3a",
        experiment="payments-slow",
        title="Payments answers in 3.5 s instead of milliseconds",
        learn="The timeout turns slowness into 504; the breaker then turns it into fast 503 and keeps"
        " the rest of the shop open.",
        source="chaos-experiments/payments-slow.yaml",
        policy="default",
        seed=7,
        setup=PlannedSetup(events=10, capacity=1000),
        expect=(),
        phases=tuple(Window(phase=n, start_s=a, end_s=b) for n, a, b in WINDOWS),
        faults=(PlannedFault(id="slow", fault=toxic, start_s=8.0, end_s=20.0),),
        load=PlannedLoad(
            profile="mixed",
            rate_rps=60.0,
            duration_s=30.0,
            mix=(("reserve", 0.75), ("read_event", 0.25)),
        ),
    )


def _breakers() -> tuple[BreakerTransition, ...]:
    steps = (
        (11.08, "closed", "open"),
        (16.11, "open", "half_open"),
        (19.12, "half_open", "open"),
        (24.14, "open", "half_open"),
        (24.17, "half_open", "closed"),
    )
    return tuple(
        BreakerTransition(
            at_s=at,
            service="reservations",
            instance="reservations-1",
            link=LINK,
            from_state=before,
            to_state=after,
        )
        for at, before, after in steps
    )


def _fault() -> FaultMeasure:
    return FaultMeasure(
        id="slow",
        link=LINK,
        kind="latency",
        planned_start_s=8.0,
        planned_end_s=20.0,
        actual_start_s=8.012,
        actual_end_s=20.018,
        undone_verified=True,
        attempts_in_window=68,
        attempts_bitten=68,
        injection_observed=True,
        evidence="68 of 68 attempts on reservations-payments lasted 3.0 s or more (baseline p95 12 ms)",
    )


def _amplification() -> tuple[LinkAmplification, ...]:
    rows = (
        ("gateway-reservations", 1248, 1248, 0),
        ("reservations-inventory", 1248, 1251, 0),
        (LINK, 1248, 775, 473),
        ("reservations-notifications", 702, 702, 0),
    )
    return tuple(
        LinkAmplification(link=link, calls=calls, attempts=attempts, rejected=rejected)
        for link, calls, attempts, rejected in rows
    )


def _invariant_measures() -> tuple[InvariantMeasure, ...]:
    return tuple(
        InvariantMeasure(name=name, exposure=n, violations=0, columns=(), rows=())
        for name, n in INVARIANTS
    )


def make_measures() -> Measures:
    """The measures of the run."""
    failures = sum(sum(n for c, n in _second(s).items() if c != OK) for s in range(30))
    return Measures(
        phases=tuple(_phase(*window) for window in WINDOWS),
        measurements=tuple(Measurement(n=720, observed=0.5) for _ in range(7)),
        abort_measurements=(),
        amplification=_amplification(),
        breakers=_breakers(),
        attribution=AttributionMeasure(
            failures=failures,
            attributed=failures,
            confirmed_by_spans=failures - 2,
            contradicted_by_spans=0,
            unexplained=(),
        ),
        recovery=RecoveryMeasure(
            outcome="recovered", after_s=5.0, detail="60 of 60 answers were 200"
        ),
        load=LoadMeasure(
            offered=1800,
            sent=1800,
            shed=0,
            offered_rps=60.0,
            achieved_rps=59.97,
            lateness_p50_ms=0.6,
            lateness_p99_ms=3.1,
        ),
        faults=(_fault(),),
        invariants=_invariant_measures(),
        settled=True,
        settle_took_s=2.1,
        spans=SpanHealth(spans=19872, traces=1800, dropped=0),
        seconds=tuple(SecondCauses(second=s, causes=_causes(_second(s))) for s in range(30)),
        latency=tuple(_latency(s) for s in range(30)),
        samples=sample_traces(),
    )


EXPECTATIONS = (
    ("rate of 200 in baseline >= 97 %", "rate", "100.0 %", ">= 97 %", 1.0, 360),
    ("rate of 504 in fault >= 2 %", "rate", "9.4 %", ">= 2 %", 0.094, 720),
    (
        "rate of 503 breaker_open from reservations in fault >= 40 %",
        "rate",
        "54.9 %",
        ">= 40 %",
        0.549,
        720,
    ),
    (
        "rate of 200 for read_event in fault, from 6.5 s >= 95 %",
        "rate",
        "100.0 %",
        ">= 95 %",
        1.0,
        83,
    ),
    ("p95 latency of 503 in fault <= 250 ms", "latency", "42 ms", "<= 250 ms", 42.0, 395),
    (
        "breaker of reservations-payments opens within 5 s, closes within 9 s",
        "breaker",
        "3.1 s, 4.2 s",
        "<= 5 s, <= 9 s",
        3.1,
        5,
    ),
    ("recovery within 10 s", "recovery", "5.0 s", "<= 10 s", 5.0, 1),
)


def _expectations() -> tuple[ExpectationResult, ...]:
    return tuple(
        ExpectationResult(
            text=text,
            kind=kind,
            where=f"chaos-experiments/payments-slow.yaml:{i + 9}",
            outcome="met",
            observed=observed,
            required=required,
            observed_value=value,
            low=0.9895 if i == 0 else None,
            high=1.0 if i == 0 else None,
            n=n,
            reason="Opened 3.1 s after the fault began, closed 4.2 s after it ended."
            if kind == "breaker"
            else "",
        )
        for i, (text, kind, observed, required, value, n) in enumerate(EXPECTATIONS)
    )


def make_verdict(plan: Plan, measures: Measures) -> Verdict:
    """The verdict ``held`` on the run."""
    return Verdict(
        run_id=plan.run_id,
        experiment=plan.experiment,
        title=plan.title,
        runtime=plan.runtime,
        policy=plan.policy,
        seed=plan.seed,
        verdict="held",
        expected_verdict="held",
        reasons=("All 7 expectations were met and all 8 invariants held.",),
        headline="For 12 s payments answered in 3.5 s. The gateway ran full after 1.4 s (429, 14.2 % of the"
        " fault), the first timeouts came back as 504 after 3 s (9.4 %), and 0.1 s later the breaker on"
        " reservations-payments opened: 54.9 % of requests then got 503 within 42 ms, and reads were back"
        " at 200. Goodput recovered 5.0 s after the fault ended.",
        expectations=_expectations(),
        invariants=tuple(
            InvariantResult(name=m.name, outcome="held", measure=m) for m in measures.invariants
        ),
        phases=measures.phases,
        attribution=measures.attribution,
        amplification=measures.amplification,
        breakers=measures.breakers,
        recovery=measures.recovery,
        load=measures.load,
        faults=measures.faults,
    )


def held_run() -> Run:
    """Everything as expected."""
    plan, measures = make_plan(), make_measures()
    return Run(plan, measures, make_verdict(plan, measures))
