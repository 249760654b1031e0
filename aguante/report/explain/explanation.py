"""The explanation as text: the expectation, the responses in its window, and one request through all services."""

from collections.abc import Iterator

from aguante.measure.measures import Cause, SecondCauses
from aguante.measure.run_evidence import RunEvidence, open_evidence
from aguante.measure.timeline_events import (
    Subject,
    TimelineEvent,
    subject_of,
    subject_of_second,
    subjects_by_id,
    surroundings,
    timeline_of,
)
from aguante.report.analyse import FrozenRun, JudgedRun
from aguante.report.explain.question import Question, UnknownSubjectError, first_unmet, worst_second
from aguante.report.explain.question_window import asked_window
from aguante.verdict.verdict import ExpectationResult

BAR = 20
MOMENTS_MAX = 120


def explain(run: FrozenRun, judged: JudgedRun, question: Question) -> str:
    """Answer the question.

    Raises:
        UnknownSubjectError: the run has no such expectation or request.
        EvidenceError: a file of the run folder cannot be read.
    """
    evidence = open_evidence(run.folder, run.plan, run.spec)
    try:
        return "\n".join(_lines(run, judged, question, evidence))
    finally:
        evidence.connection.close()


def _lines(
    run: FrozenRun, judged: JudgedRun, question: Question, evidence: RunEvidence
) -> Iterator[str]:
    verdict = judged.verdict
    yield f"{verdict.run_id}: {verdict.verdict} (policy {verdict.policy})"
    yield f"  {verdict.headline}"
    if question.id:
        yield from _of_id(run, evidence, question.id)
        return
    number = question.expectation or first_unmet(verdict)
    if number is not None:
        yield from _of_expectation(run, judged, number, evidence)
        return
    second = worst_second(judged.measures)
    if second is None:
        yield ""
        yield "No request failed in this run: all responses were 200."
        return
    yield ""
    yield f"Every expectation is met. The worst second begins at {second} s:"
    yield from _seconds(judged, second - 2, second + 3)
    yield from _story(run, evidence, subject_of_second(evidence, second))


def _of_id(run: FrozenRun, evidence: RunEvidence, wanted: str) -> Iterator[str]:
    found = subjects_by_id(evidence, wanted)
    if not found:
        message = f"this run has no request with the trace, reservation or key {wanted!r}"
        raise UnknownSubjectError(message)
    if len(found) > 1:
        yield ""
        yield f"{len(found)} requests match; this is the first of them."
    yield from _story(run, evidence, found[0])


def _of_expectation(
    run: FrozenRun, judged: JudgedRun, number: int, evidence: RunEvidence
) -> Iterator[str]:
    results = judged.verdict.expectations
    if not 1 <= number <= len(results):
        message = f"there is no expectation {number}; give a number from 1 to {len(results)}"
        raise UnknownSubjectError(message)
    result = results[number - 1]
    yield ""
    yield from _result(number, result)
    asked = run.plan.expect[number - 1].asked
    window = asked_window(asked, run.plan, evidence.run_log)
    if window is None:
        yield from ("", "This run has no such time window: no such phase, or no fault.")
        return
    yield ""
    yield f"Responses by second ({window.name}):"
    yield from _seconds(judged, int(window.start_s), round(window.end_s))
    yield ""
    yield "Events in this window:"
    around = sorted(surroundings(evidence, window.start_s, window.end_s), key=lambda m: m.at_s)
    yield from map(_moment, around)
    met = result.outcome == "met"
    role = "counts towards it" if met else "counts against it"
    within_s = (window.start_s, window.end_s)
    yield from _story(run, evidence, subject_of(evidence, asked, within_s, met=met), role)


def _result(number: int, result: ExpectationResult) -> Iterator[str]:
    yield f"Expectation {number} ({result.where}) is {result.outcome}:"
    yield f"  {result.text}"
    yield f"  observed {result.observed}, required {result.required}; {result.reason}"


def _seconds(judged: JudgedRun, first: int, end: int) -> Iterator[str]:
    for each in judged.measures.seconds:
        if first <= each.second < end:
            yield _second(each)


def _second(each: SecondCauses) -> str:
    total = sum(cause.requests for cause in each.causes)
    good = sum(cause.requests for cause in each.causes if cause.status == 200)
    bar = "#" * round(BAR * good / total) if total else ""
    causes = sorted(each.causes, key=lambda cause: -cause.requests)
    return f"  {each.second:4d} s  {bar:.<{BAR}}  {', '.join(map(_cause, causes))}"


def _cause(cause: Cause) -> str:
    name = f"{cause.status or 'no response'} {cause.mechanism}".strip()
    return f"{cause.requests} x {name}"


def _story(
    run: FrozenRun, evidence: RunEvidence, subject: Subject | None, role: str = ""
) -> Iterator[str]:
    yield ""
    if subject is None:
        yield f"No request of this run {role or 'shows this'}."
        return
    names = f"trace {subject.trace_id or '-'}, reservation {subject.reservation_id or '-'}"
    yield f"A request that {role}:" if role else "The request:"
    yield f"  {subject.operation} in {subject.phase or 'the time after all phases'}: {subject.outcome}"
    yield f"  {names}"
    moments = timeline_of(evidence, run.folder.root, subject)
    yield from map(_moment, moments[:MOMENTS_MAX])
    if len(moments) > MOMENTS_MAX:
        yield f"  ... and {len(moments) - MOMENTS_MAX} more"


def _moment(moment: TimelineEvent) -> str:
    return f"  {moment.at_s:9.3f} s  {moment.source:24.24}  {moment.text}"
