"""How soon the system itself showed the fault: by a failing answer, or by a breaker that opened.

What a monitor could have seen first, without knowing of the experiment. A failing answer is one that a
client would call an outage: no answer, 429, or 5xx; sold out (409) or declined (402) are answers of the
business. It counts when it *arrived*, since that is when somebody could know.
"""

from aguante.expectations.clauses import Detection
from aguante.measure.breaker_states import breaker_times
from aguante.measure.evidence import Evidence
from aguante.measure.measures import Answer, Fact
from aguante.measure.span_measures import incomplete_because, measure_breakers

FAILED, OPENED = "failed_after_s", "opened_after_s"

_FIRST_FAILURE = """
    SELECT min(ended_s), count(*) FROM requests
    WHERE (status = 0 OR status = 429 OR status >= 500) AND ended_s >= $start_s
      AND ($link::VARCHAR IS NULL OR link = $link)
"""
_ARRIVED = "SELECT count(*) FROM requests WHERE ended_s >= $start_s"


def answer_detection(evidence: Evidence, asked: Detection) -> Answer:
    """The earlier of the first failing answer and the first opening, seconds after the first fault began."""
    start_s, end_s = evidence.first_fault_s, evidence.load_end_s
    if start_s is None:
        return Answer(index=0, n=0, observed=None, unknown_because="no fault was applied")
    (arrived,) = evidence.row(_ARRIVED, start_s=start_s)
    failed_s, failures = evidence.row(_FIRST_FAILURE, start_s=start_s, link=asked.link)
    seen = [b for b in measure_breakers(evidence) if asked.link in (None, b.link)]
    opened_s = breaker_times(seen, start_s, end_s).opened_after_s
    failed_s = None if failed_s is None else failed_s - start_s
    observed = min((each for each in (failed_s, opened_s) if each is not None), default=None)
    why = incomplete_because(evidence) if observed is None else ""
    return Answer(
        index=0,
        n=arrived,
        observed=observed,
        unknown_because=why,
        detail=_sentence(failed_s, failures, opened_s),
        facts=(Fact(name=FAILED, value=failed_s), Fact(name=OPENED, value=opened_s)),
    )


def _sentence(failed_s: float | None, failures: int, opened_s: float | None) -> str:
    failed = (
        f"the first of {failures} failing answers after {failed_s:.1f} s"
        if failed_s is not None
        else "no answer failed"
    )
    opened = f"a breaker opened after {opened_s:.1f} s" if opened_s is not None else "none opened"
    return f"{failed}; {opened}"
