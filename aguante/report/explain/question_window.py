"""The time window of an expectation: the phase that it names, else the window of its kind. Pure."""

from dataclasses import dataclass

from aguante.expectations.expectation import Boundary, Expectation, PartOfPhase
from aguante.plan.plan import Plan
from aguante.run_folder.run_log import RunLog


@dataclass(frozen=True)
class Asked:
    """``[start_s, end_s)`` since t0, with a name."""

    name: str
    start_s: float
    end_s: float


def asked_window(asked: Expectation, plan: Plan, log: RunLog) -> Asked | None:
    """The window in which an expectation is judged; None if this run has no such phase, or no fault.

    Args:
        asked: the expectation.
        plan: phases and planned times of faults, which apply if the actual ones are unknown.
        log: the actual times of faults.
    """
    phase: str | None = getattr(asked, "phase", None)
    if phase is None:
        return _between(*asked.period(), plan, log)
    whole = _phase(phase, plan)
    if whole is None or not isinstance(asked, PartOfPhase):
        return whole
    return Asked(whole.name, *asked.part_of((whole.start_s, whole.end_s)))


def _phase(name: str, plan: Plan) -> Asked | None:
    found = [window for window in plan.phases if window.phase == name]
    return Asked(name, found[0].start_s, found[0].end_s) if found else None


_FROM = {
    "first_fault": "from the start of the first fault",
    "last_undo": "from the end of the last fault",
}


def _between(start: Boundary, end: Boundary, plan: Plan, log: RunLog) -> Asked | None:
    """The time between two boundaries of the run; None if it has no faults."""
    if start == "start":
        return Asked("the whole run", plan.phases[0].start_s, plan.end_s)
    if not plan.faults:
        return None
    times_s = {
        "first_fault": min(_known(log.began_s(each.id), each.start_s) for each in plan.faults),
        "last_undo": max(_known(log.undone_s(each.id), each.end_s) for each in plan.faults),
        "end": plan.end_s,
    }
    until = "" if end == "end" else " to the end of the last"
    return Asked(_FROM[start] + until, times_s[start], times_s[end])


def _known(at_s: float | None, planned_s: float) -> float:
    return planned_s if at_s is None else at_s
