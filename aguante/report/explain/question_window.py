"""The time window of an expectation: the phase that it names, else the window of its kind. Pure."""

from dataclasses import dataclass

from aguante.expectations.clauses import Breaker, Detection, Expectation, PartOfPhase, Recovery
from aguante.plan.plan import Plan
from aguante.run_folder.run_log import RunFacts


@dataclass(frozen=True)
class Asked:
    """``[start_s, end_s)`` since t0, with a name."""

    name: str
    start_s: float
    end_s: float


def asked_window(asked: Expectation, plan: Plan, facts: RunFacts) -> Asked | None:
    """The window in which an expectation is judged; None if this run has no such phase, or no fault.

    Args:
        asked: the expectation.
        plan: phases and planned times of faults, which apply if the actual ones are unknown.
        facts: the actual times of faults.
    """
    if isinstance(asked, PartOfPhase):
        return _part(asked, plan)
    phase: str | None = getattr(asked, "phase", None)
    if phase:
        return _phase(phase, plan)
    if isinstance(asked, Recovery | Breaker | Detection):
        return _around_faults(asked, plan, facts)
    return Asked("the whole run", plan.phases[0].start_s, plan.end_s)


def _part(asked: PartOfPhase, plan: Plan) -> Asked | None:
    whole = _phase(asked.phase, plan)
    if whole is None:
        return None
    until_s = whole.end_s if asked.before_s is None else whole.start_s + asked.before_s
    return Asked(whole.name, whole.start_s + asked.after_s, min(until_s, whole.end_s))


def _phase(name: str, plan: Plan) -> Asked | None:
    found = [window for window in plan.phases if window.phase == name]
    return Asked(name, found[0].start_s, found[0].end_s) if found else None


def _around_faults(
    asked: Recovery | Breaker | Detection, plan: Plan, facts: RunFacts
) -> Asked | None:
    """From the first fault for a breaker that opens; from the end of the last for recovery and one that closes."""
    if not plan.faults:
        return None
    began_s = min(_known(facts.began_s(each.id), each.start_s) for each in plan.faults)
    ended_s = max(_known(facts.undone_s(each.id), each.end_s) for each in plan.faults)
    opens = isinstance(asked, Breaker) and asked.opens_within_s is not None
    closes = isinstance(asked, Breaker) and asked.closes_within_s is not None
    if isinstance(asked, Detection) or (opens and not closes):
        return Asked("from the start of the first fault to the end of the last", began_s, ended_s)
    if opens:
        return Asked("from the start of the first fault", began_s, plan.end_s)
    return Asked("from the end of the last fault", ended_s, plan.end_s)


def _known(at_s: float | None, planned_s: float) -> float:
    return planned_s if at_s is None else at_s
