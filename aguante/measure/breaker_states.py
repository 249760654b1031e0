"""When a breaker opened and closed, told from its transitions."""

from collections.abc import Iterable
from dataclasses import dataclass

from aguante.expectations.clauses import Breaker
from aguante.measure.evidence import Evidence
from aguante.measure.measures import Answer, BreakerTransition, Fact
from aguante.measure.span_measures import incomplete_because, measure_breakers

OPENED, CLOSED = "opened_after_s", "closed_after_s"
_ATTEMPTS = "SELECT count(*) FROM attempts WHERE link = $link AND start_s >= $start_s"


@dataclass(frozen=True)
class BreakerTimes:
    """Seconds after the first fault began, and after the last one ended; None: it did not happen."""

    opened_after_s: float | None
    closed_after_s: float | None


def breaker_times(
    transitions: Iterable[BreakerTransition], start_s: float, end_s: float
) -> BreakerTimes:
    """When the first instance opened, and when the last one had closed for good.

    Args:
        transitions: of one link, in order of time.
        start_s: of the first fault; what changed earlier does not count.
        end_s: of the last fault. A breaker that closed for good before that closed after 0 s.
    """
    last: dict[tuple[str, str], BreakerTransition] = {}
    opened: float | None = None
    for each in transitions:
        if each.at_s < start_s:
            continue
        last[each.service, each.instance] = each
        if each.to_state == "open" and opened is None:
            opened = each.at_s - start_s
    if opened is None or any(each.to_state != "closed" for each in last.values()):
        return BreakerTimes(opened, None)
    return BreakerTimes(opened, max(0.0, max(each.at_s for each in last.values()) - end_s))


def answer_breaker(evidence: Evidence, asked: Breaker) -> Answer:
    """Opening and closing of the asked link's breakers; unknown when spans are missing."""
    start_s, end_s = evidence.first_fault_s, evidence.last_undo_s
    why = incomplete_because(evidence)
    if start_s is None or end_s is None:
        why = "it is not known when the faults began and ended"
    if why or start_s is None or end_s is None:
        return Answer(index=0, n=0, observed=None, unknown_because=why)
    seen = [each for each in measure_breakers(evidence) if each.link == asked.link]
    (attempts,) = evidence.row(_ATTEMPTS, link=asked.link, start_s=start_s)
    if not seen and not attempts:
        why = f"no call on {asked.link} was traced"
        return Answer(index=0, n=0, observed=None, unknown_because=why)
    times = breaker_times(seen, start_s, end_s)
    return Answer(
        index=0,
        n=len(seen) or attempts,
        observed=times.opened_after_s,
        detail=_sentence(times),
        facts=(
            Fact(name=OPENED, value=times.opened_after_s),
            Fact(name=CLOSED, value=times.closed_after_s),
        ),
    )


def _sentence(times: BreakerTimes) -> str:
    if times.opened_after_s is None:
        return "never opened"
    opened = f"opened {times.opened_after_s:.1f} s after the fault"
    if times.closed_after_s is None:
        return f"{opened}, and was not closed at the end"
    return f"{opened}, closed {times.closed_after_s:.1f} s after it was lifted"
