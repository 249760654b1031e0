"""Where the answer to an expectation lies: the phase that it names, else the time that its kind asks about. Pure."""

from dataclasses import dataclass

from aguante.expectations.clauses import Breaker, Detection, Expectation, PartOfPhase, Recovery
from aguante.plan.plan import Plan
from aguante.run_folder.run_log import RunLog


@dataclass(frozen=True)
class Asked:
    """``[start_s, end_s)`` since t0, and how it is called."""

    name: str
    start_s: float
    end_s: float


def asked_window(asked: Expectation, plan: Plan, facts: RunLog) -> Asked | None:
    """The time that an expectation is judged by; None: this run has no such phase, or no fault.

    Args:
        asked: as the experiment states it.
        plan: whose phases and faults; where a fault's real time is not known, the planned one counts.
        facts: when each fault really began and ended.
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
    asked: Recovery | Breaker | Detection, plan: Plan, facts: RunLog
) -> Asked | None:
    """From the first fault on, or from the end of the last: there a recovery is, and a breaker that closes."""
    if not plan.faults:
        return None
    began_s = min(_known(facts.began_s(each.id), each.start_s) for each in plan.faults)
    ended_s = max(_known(facts.undone_s(each.id), each.end_s) for each in plan.faults)
    opens = isinstance(asked, Breaker) and asked.opens_within_s is not None
    closes = isinstance(asked, Breaker) and asked.closes_within_s is not None
    if isinstance(asked, Detection) or (opens and not closes):
        return Asked("from the first fault's beginning to the last one's end", began_s, ended_s)
    if opens:
        return Asked("from the first fault's beginning on", began_s, plan.end_s)
    return Asked("from the last fault's end on", ended_s, plan.end_s)


def _known(at_s: float | None, planned_s: float) -> float:
    return planned_s if at_s is None else at_s
