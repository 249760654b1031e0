"""The hand-made run as it can also end: deviated, inconclusive, nearly empty, and hostile."""

from report_factory import Run, held_run

from aguante.expectations.amplification import LinkAmplification
from aguante.measure.measures import AttributionMeasure, Cause, InvariantMeasure
from aguante.verdict.verdict import InvariantResult

HOSTILE = "<script>alert('1')</script>\"&|`x`\n](javascript:alert(1)) \x07"


def deviated_run() -> Run:
    """One expectation unmet, one invariant violated, one failure unexplained."""
    plan, measures, verdict = held_run()
    bad = InvariantMeasure(
        name="seats_add_up",
        exposure=8,
        violations=2,
        columns=("event_id", "capacity", "available", "allocated"),
        rows=(("evt-3", "100", "0", "104"), ("evt-5", "100", "0", "101")),
    )
    unmet = verdict.expectations[3].model_copy(
        update={
            "outcome": "unmet",
            "observed": "51.2 %",
            "observed_value": 0.512,
            "reason": "Of 83 reads 40 were refused with 429: the gateway stayed full.",
        }
    )
    results = (
        InvariantResult(name=bad.name, outcome="violated", measure=bad),
        *verdict.invariants[1:],
    )
    odd = Cause(status=500, origin="", link="", mechanism="", requests=3)
    attribution = AttributionMeasure(
        failures=749,
        attributed=746,
        confirmed_by_spans=740,
        contradicted_by_spans=2,
        unexplained=(odd,),
    )
    update = {
        "verdict": "deviated",
        "reasons": (
            "The invariant seats_add_up was violated on 2 rows: more seats were allocated than exist.",
            "rate of 200 for read_event in fault, from 6.5 s: 51.2 %, required >= 95 %.",
        ),
        "expectations": (*verdict.expectations[:3], unmet, *verdict.expectations[4:]),
        "invariants": results,
        "attribution": attribution,
    }
    measures = measures.model_copy(
        update={"attribution": attribution, "invariants": (bad, *measures.invariants[1:])}
    )
    return Run(plan, measures, verdict.model_copy(update=update))


def inconclusive_run() -> Run:
    """The toxic was there, but nothing shows that it bit."""
    plan, measures, verdict = held_run()
    fault = measures.faults[0].model_copy(
        update={
            "injection_observed": False,
            "attempts_bitten": 0,
            "evidence": "no attempt was slower than baseline",
        }
    )
    unknown = verdict.expectations[5].model_copy(
        update={"outcome": "unknown", "observed": "-", "observed_value": None, "n": 0}
    )
    update = {
        "verdict": "inconclusive",
        "reasons": ("The fault slow was never observed on reservations-payments.",),
        "expectations": (*verdict.expectations[:5], unknown, verdict.expectations[6]),
        "faults": (fault,),
    }
    measures = measures.model_copy(update={"faults": (fault,)})
    return Run(plan, measures, verdict.model_copy(update=update))


def empty_run() -> Run:
    """Stopped before the first request: nothing was measured at all."""
    plan, measures, verdict = inconclusive_run()
    load = measures.load.model_copy(
        update={
            "offered": 0,
            "sent": 0,
            "achieved_rps": 0.0,
            "lateness_p50_ms": None,
            "lateness_p99_ms": None,
        }
    )
    fault = measures.faults[0].model_copy(update={"actual_start_s": None, "actual_end_s": None})
    none = AttributionMeasure(
        failures=0, attributed=0, confirmed_by_spans=0, contradicted_by_spans=0, unexplained=()
    )
    recovery = measures.recovery.model_copy(update={"outcome": "not_applicable", "after_s": None})
    shared = {
        "phases": (),
        "amplification": (),
        "breakers": (),
        "attribution": none,
        "recovery": recovery,
        "load": load,
        "faults": (fault,),
    }
    update = {"seconds": (), "latency": (), "samples": (), "invariants": (), "measurements": ()}
    update |= {"settled": None, "settle_took_s": None, "stopped": "stopped by the user"}
    measures = measures.model_copy(update=shared | update)
    return Run(plan, measures, verdict.model_copy(update=shared | {"invariants": ()}))


def hostile_run() -> Run:
    """Every text that a file or an answer's body can bring in is an attack on the page."""
    plan, measures, verdict = held_run()
    cause = Cause(status=503, origin=HOSTILE, link=HOSTILE, mechanism=HOSTILE, requests=4)
    first = measures.seconds[9].model_copy(update={"causes": (cause,)})
    phase = measures.phases[2].model_copy(update={"causes": (cause,)})
    seconds = (*measures.seconds[:9], first, *measures.seconds[10:])
    span = (
        measures.samples[0]
        .spans[0]
        .model_copy(update={"name": HOSTILE, "events": ((1.0, HOSTILE),)})
    )
    sample = measures.samples[0].model_copy(update={"mechanism": HOSTILE, "spans": (span,)})
    link = LinkAmplification(link=HOSTILE, calls=1, attempts=1, rejected=0)
    fault = measures.faults[0].model_copy(update={"id": HOSTILE, "evidence": HOSTILE})
    shared = {
        "phases": (*measures.phases[:2], phase),
        "amplification": (link,),
        "faults": (fault,),
    }
    expectation = verdict.expectations[0].model_copy(
        update={"text": HOSTILE, "reason": HOSTILE, "where": HOSTILE}
    )
    return Run(
        plan.model_copy(update={"title": HOSTILE, "learn": HOSTILE, "source": HOSTILE}),
        measures.model_copy(update=shared | {"seconds": seconds, "samples": (sample,)}),
        verdict.model_copy(
            update=shared
            | {
                "title": HOSTILE,
                "headline": HOSTILE,
                "reasons": (HOSTILE,),
                "expectations": (expectation,),
            }
        ),
    )
