"""A plan as text: phases, faults, load and expectations on one timeline."""

from collections.abc import Iterator, Mapping, Sequence

from aguante.faults.planned_fault import PlannedFault
from aguante.plan.plan import Plan, PlannedLoad
from aguante.report.chart_geometry import fault_names

WIDTH = 64
"""Characters of the drawn timeline."""


def preview(plan: Plan, timeouts_s: Mapping[str, float], settle_s: float) -> str:
    """The whole dry run as text.

    Args:
        plan: what a run would do.
        timeouts_s: the timeout of each link under the policy; links without one are absent.
        settle_s: how long the system may take to settle.
    """
    parts = [
        f"{plan.experiment}: {plan.title}",
        f"  {plan.learn}",
        "",
        *_drawing(plan),
        "",
        *(f"{at_s:6.1f} s  {text}" for at_s, text in _steps(plan, settle_s)),
        "",
        "Expected:",
        *_expectations(plan),
        *_aborts(plan),
        *_notes(plan, timeouts_s),
        "",
        f"Nothing was started. To run it: {_command(plan)}",
    ]
    return "\n".join(parts)


def _command(plan: Plan) -> str:
    return plan.command.rsplit(" --seed", 1)[0]


def _drawing(plan: Plan) -> list[str]:
    """The phases as one bar, and each fault as a bar below it."""
    end_s = plan.end_s
    name = max(8, *(len(fault.id) for fault in plan.faults)) if plan.faults else 8
    phases = "".join(
        _bar(w.phase, _columns(w.end_s, end_s) - _columns(w.start_s, end_s)) for w in plan.phases
    )
    lines = [f"{'':{name}}  {phases}|"]
    for fault in plan.faults:
        start, end = _columns(fault.start_s, end_s), _columns(fault.end_s, end_s)
        lines.append(f"{fault.id:{name}}  {' ' * start}{'#' * max(1, end - start)}")
    return lines


def _columns(at_s: float, end_s: float) -> int:
    return round(WIDTH * at_s / end_s)


def _bar(phase: str, width: int) -> str:
    return f"|{phase[: max(0, width - 1)]:.<{max(0, width - 1)}}" if width else ""


def _steps(plan: Plan, settle_s: float) -> list[tuple[float, str]]:
    """Everything that happens, in order; at the same time, phases come before faults."""
    steps = [
        (window.start_s, 0, _phase(window.phase, window.end_s - window.start_s))
        for window in plan.phases
    ]
    steps[0] = (steps[0][0], 0, f"{steps[0][2]}; {_load(plan)}")
    for fault in plan.faults:
        reach = f" ({fault.fault.reach})" if fault.fault.reach else ""
        steps.append((fault.start_s, 1, f"  {fault_names(fault)[0]}{reach}"))
        steps.append((fault.end_s, -1, f"  {fault.id} is removed, and verified"))
    ending = f"load ends; up to {plan.load.timeout_s:g} s for outstanding responses"
    steps.append((plan.end_s, 2, f"{ending}, up to {settle_s:g} s to settle, then the audit"))
    return [(at_s, text) for at_s, _, text in sorted(steps, key=lambda m: (m[0], m[1]))]


def _phase(phase: str, length_s: float) -> str:
    return f"{phase} begins ({length_s:g} s)"


def _load(plan: Plan) -> str:
    mix = ", ".join(f"{share:.0%} {operation}" for operation, share in plan.load.mix)
    load = plan.load
    total = round(load.curve.arrivals(0, load.duration_s))
    loop = f"closed loop of {load.users} users" if load.users else f"{load.arrivals} arrivals"
    by = f" by {load.workers} workers" if load.workers > 1 else ""
    return (
        f"{rate_words(load)} ({mix}), profile {load.profile}, {loop}{by}: "
        f"about {total} requests under policy {plan.policy}"
    )


def rate_words(load: PlannedLoad) -> str:
    """``60 requests/s``, or how the rate changes over time."""
    rate, high = f"{load.rate_rps:g}", f"{load.to_rps or 0:g}"
    match load.profile:
        case "ramp":
            return f"{rate} to {high} requests/s linearly"
        case "step":
            return f"{rate} to {high} requests/s in {load.steps} steps"
        case "spike":
            return f"{rate} requests/s, and {high} for {load.for_s:g} s from {load.at_s:g} s on"
        case "race":
            return f"{rate} requests/s, {load.racers} at once"
    return f"{rate} requests/s"


def _expectations(plan: Plan) -> Iterator[str]:
    for at, planned in enumerate(plan.expect, start=1):
        yield f"  {at}. {planned.asked.sentence()}"
    chosen = plan.invariants
    yield f"  and {'every invariant' if chosen == 'all' else ', '.join(chosen) or 'no invariant'}"
    if plan.expected_verdict != "held":
        yield f"  The expected verdict is {plan.expected_verdict}; if met, the exit code is 0."


def _aborts(plan: Plan) -> Iterator[str]:
    if plan.abort_when:
        yield "The run is stopped early if:"
    for planned in plan.abort_when:
        late = "" if planned.asked.live else " (checked only at the end of the run)"
        yield f"  {planned.asked.sentence()}{late}"


def _notes(plan: Plan, timeouts_s: Mapping[str, float]) -> Sequence[str]:
    """How the timeouts of the policy and the length of each fault limit its effect."""
    notes = [note for fault in plan.faults for note in _delay(fault, timeouts_s, plan.policy)]
    if any(fault.length_s < 3 for fault in plan.faults):
        notes.append("A fault shorter than 3 s may end before it causes a timeout.")
    return ["Notes:", *(f"  {note}" for note in notes)] if notes else []


def _delay(fault: PlannedFault, timeouts_s: Mapping[str, float], policy: str) -> Iterator[str]:
    link, delay_s = fault.target, fault.fault.delay_s
    limit_s = timeouts_s.get(link)
    if delay_s is None or limit_s is None:
        return
    if delay_s > limit_s:
        yield (
            f"{fault.id}: {delay_s:g} s exceeds the {limit_s:g} s timeout of policy {policy} on {link}: "
            "calls time out, although the callee does the work."
        )
    else:
        yield (
            f"{fault.id}: {delay_s:g} s is within the {limit_s:g} s timeout of policy {policy} on {link}: "
            "calls are slow but succeed."
        )
