"""One function per kind of expectation: what was asked, answered from the evidence. Judging comes later."""

from collections.abc import Callable, Sequence

from aguante.collect.promql_samples import window_of as window_of_promql
from aguante.core.statistics import samples_needed, wilson
from aguante.expectations.clauses import (
    Achieved,
    Amplification,
    Attribution,
    Breaker,
    Detection,
    Expectation,
    Goodput,
    Latency,
    Promql,
    Rate,
    Recovery,
    Window,
)
from aguante.measure.achieved_load import measure_load
from aguante.measure.breaker_states import answer_breaker
from aguante.measure.evidence import Evidence
from aguante.measure.first_sign import answer_detection
from aguante.measure.goodput_recovery import measure_recovery
from aguante.measure.measures import Answer
from aguante.measure.percentiles import percentiles_of
from aguante.measure.promql_values import answer_promql
from aguante.measure.span_measures import (
    count_attributed,
    incomplete_because,
    measure_amplification,
)
from aguante.plan.plan import PlannedExpectation

INDEPENDENT = ("warmup", "baseline")
"""Phases whose outcomes may be taken as independent; in a fault they share one breaker (a census)."""

_RATE = """
    SELECT count(*), count(*) FILTER (
        ($any_status OR list_contains($statuses::INTEGER[], status)
         OR list_contains($classes::INTEGER[], status // 100))
        AND ($origin::VARCHAR IS NULL OR origin = $origin)
        AND ($link::VARCHAR IS NULL OR link = $link)
        AND ($mechanism::VARCHAR IS NULL OR mechanism = $mechanism))
    FROM asked($phase, $operation::VARCHAR, $after_s::DOUBLE, $before_s::DOUBLE)
"""
_LATENCIES = """
    SELECT latency_ms AS value
    FROM asked($phase, $operation::VARCHAR, $after_s::DOUBLE, $before_s::DOUBLE)
    WHERE status = $of_status
"""
_GOODPUT = """
    SELECT count(*), count(*) FILTER (status = 200)
    FROM asked($phase, $operation::VARCHAR, $after_s::DOUBLE, $before_s::DOUBLE)
"""
_BASELINE = """
    SELECT count(*) FILTER (status = 200) / nullif(count(*), 0) FROM requests
    WHERE phase = 'baseline' AND ($operation::VARCHAR IS NULL OR operation = $operation)
"""


def answer_all(evidence: Evidence, planned: Sequence[PlannedExpectation]) -> tuple[Answer, ...]:
    """An answer for each expectation, in order."""
    return tuple(answer(evidence, at, each.asked) for at, each in enumerate(planned))


def answer(evidence: Evidence, index: int, asked: Expectation) -> Answer:
    """The answer to one expectation; never a judgement, never a guess."""
    return _ANSWERS[type(asked)](evidence, asked).model_copy(update={"index": index})


def window_of(asked: Window) -> dict[str, object]:
    """The parameters of a query for a phase, an operation and a part of the phase."""
    return {
        "phase": asked.phase,
        "operation": asked.operation,
        "after_s": asked.after_s,
        "before_s": asked.before_s,
    }


def unknown(why: str, n: int = 0) -> Answer:
    """An answer that cannot be had."""
    return Answer(index=0, n=n, observed=None, unknown_because=why)


def statuses_of(asked: tuple[int | str, ...] | None) -> dict[str, object]:
    """The parameters of a query for statuses and classes: ``5xx`` is every status // 100 == 5."""
    chosen = asked or ()
    return {
        "any_status": asked is None,
        "statuses": [each for each in chosen if isinstance(each, int)],
        "classes": [int(each[0]) for each in chosen if isinstance(each, str)],
    }


def _rate(evidence: Evidence, asked: Rate) -> Answer:
    chosen = {
        **statuses_of(asked.status),
        "origin": asked.origin,
        "link": asked.link,
        "mechanism": asked.mechanism,
    }
    n, hits = evidence.row(_RATE, **window_of(asked), **chosen)
    if not n:
        return unknown("no request was meant to start in this window")
    interval = wilson(hits, n) if asked.phase in INDEPENDENT else None
    return Answer(
        index=0,
        n=n,
        observed=hits / n,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        detail=f"{hits} of {n} requests",
    )


def _latency(evidence: Evidence, asked: Latency) -> Answer:
    window = {**window_of(asked), "of_status": asked.of_status}
    n, (value,) = percentiles_of(evidence, _LATENCIES, (asked.p,), **window)
    if value.value_ms is None:
        needed = samples_needed(asked.p)
        return unknown(
            f"{n} answers with {asked.of_status}, and p{asked.p * 100:g} needs {needed}", n
        )
    return Answer(
        index=0,
        n=n,
        observed=value.value_ms,
        low=value.low_ms,
        high=value.high_ms,
        detail=f"of {n} answers with {asked.of_status}",
    )


def _goodput(evidence: Evidence, asked: Goodput) -> Answer:
    offered, good = evidence.row(_GOODPUT, **window_of(asked))
    if not offered:
        return unknown("no request was meant to start in this window")
    if asked.min_rps is not None:
        phase = evidence.plan.window(asked.phase)
        length_s = min(asked.before_s or 1e9, phase.end_s - phase.start_s) - asked.after_s
        detail = f"{good} answers with 200 in {length_s:g} s"
        return Answer(index=0, n=offered, observed=good / length_s, detail=detail)
    (baseline,) = evidence.row(_BASELINE, operation=asked.operation)
    if not baseline:
        return unknown("the baseline has no goodput to compare with", offered)
    detail = f"{good} of {offered} requests; {baseline:.1%} in the baseline"
    return Answer(index=0, n=offered, observed=good / offered / baseline, detail=detail)


def _recovery(evidence: Evidence, _: Recovery) -> Answer:
    seen = measure_recovery(evidence)
    if seen.outcome in ("unknown", "not_applicable"):
        return unknown(seen.detail)
    return Answer(index=0, n=1, observed=seen.after_s, detail=f"{seen.outcome}: {seen.detail}")


def _attribution(evidence: Evidence, asked: Attribution) -> Answer:
    failures, attributed = count_attributed(evidence, asked.phase)
    if not failures:
        return unknown("nothing failed, so nothing was to be attributed")
    detail = f"{attributed} of {failures} failures name origin and mechanism"
    return Answer(index=0, n=failures, observed=attributed / failures, detail=detail)


def _amplification(evidence: Evidence, asked: Amplification) -> Answer:
    why = incomplete_because(evidence)
    links = {each.link: each for each in measure_amplification(evidence, asked.phase)}
    seen = links.get(asked.link)
    if why or seen is None or not seen.calls:
        return unknown(why or f"no call on {asked.link} was traced")
    detail = f"{seen.attempts} attempts for {seen.calls} calls; {seen.rejected} refused before any"
    return Answer(index=0, n=seen.calls, observed=seen.attempts / seen.calls, detail=detail)


def _achieved(evidence: Evidence, asked: Achieved) -> Answer:
    seen = measure_load(evidence)
    if asked.late_p99_ms_max is not None:
        late = seen.lateness_p99_ms
        if late is None:
            return unknown("no request was recorded")
        return Answer(index=0, n=seen.sent, observed=late, detail=f"of {seen.sent} requests")
    if not seen.offered:
        return unknown("no load was offered")
    share = seen.achieved_rps / seen.offered_rps
    detail = f"{seen.achieved_rps:.1f} of {seen.offered_rps:.1f} requests/s, {seen.shed} shed"
    return Answer(index=0, n=seen.offered, observed=share, detail=detail)


def _promql(evidence: Evidence, asked: Promql) -> Answer:
    wanted = (asked.query, *window_of_promql(asked, evidence.plan))
    found = (each for each in evidence.promql if (each.query, each.start_s, each.end_s) == wanted)
    return answer_promql(asked, next(found, None))


_ANSWERS: dict[type[Expectation], Callable[..., Answer]] = {
    Rate: _rate,
    Latency: _latency,
    Breaker: answer_breaker,
    Recovery: _recovery,
    Detection: answer_detection,
    Goodput: _goodput,
    Attribution: _attribution,
    Amplification: _amplification,
    Achieved: _achieved,
    Promql: _promql,
}
