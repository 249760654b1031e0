"""Times and amounts that must fit together: windows inside phases, samples enough for a percentile."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf

from aguante.core.findings import FilePath, Problem
from aguante.expectations.expectation import Outline
from aguante.expectations.registry import KINDS
from aguante.experiment.fault_rules import overlap_problems
from aguante.experiment.references import expectations, inner, mappings
from aguante.experiment.references import finite as _number
from aguante.load_protocol.rates import Shape, too_late

PHASES = ("warmup", "baseline", "fault", "recovery")


def timing_problems(data: Mapping[str, object]) -> list[Problem]:
    """Every fault of times that involves more than one key."""
    lengths = _lengths(data)
    return [
        *_spike(data, lengths),
        *_fault_windows(data, lengths),
        *overlap_problems(data, lengths.get("fault")),
        *_expectation_windows(data, lengths),
        *_by_kind(data, lengths),
    ]


def _lengths(data: Mapping[str, object]) -> dict[str, float]:
    """Phase -> seconds, of the phases with a usable length."""
    phases = inner(data, "phases")
    pairs = ((phase, _number(phases.get(f"{phase}_s"))) for phase in PHASES)
    return {phase: length for phase, length in pairs if length is not None and length > 0}


def _mentioned(data: Mapping[str, object], phase: str) -> bool:
    """Whether the file has a key for this phase, even a misspelt one, which is then the fault to report."""
    return any(key.startswith(phase) for key in inner(data, "phases"))


def _spike(data: Mapping[str, object], lengths: Mapping[str, float]) -> Iterator[Problem]:
    load = inner(data, "load")
    at_s = _number(load.get("at_s"))
    if at_s is None or len(lengths) < len(
        inner(data, "phases")
    ):  # a wrong length is reported elsewhere
        return
    if late := too_late(str(load.get("profile")), Shape(at_s=at_s), sum(lengths.values())):
        yield Problem(("load", late.word), late.found, late.expected, late.fix)


def _fault_windows(data: Mapping[str, object], lengths: Mapping[str, float]) -> Iterator[Problem]:
    phase_s = lengths.get("fault")
    if phase_s is None:
        if data.get("faults") and not _mentioned(data, "fault"):
            at: FilePath = ("phases", "fault_s")
            yield Problem(at, "nothing", "a fault phase for the faults", "add fault_s:", False)
        return
    for path, fault in mappings(data, "faults"):
        start_s, length_s = _number(fault.get("start_s", 0)), _number(fault.get("duration_s"))
        repeat = inner(fault, "repeat")
        times, every_s = _number(repeat.get("times")), _number(repeat.get("every_s"))
        if length_s is not None and times and every_s:
            length_s += (times - 1) * every_s
        if start_s is not None and start_s >= phase_s:
            fix = "lengthen phases.fault_s, or start the fault earlier"
            expected = f"a start before the fault phase ends ({phase_s:g} s)"
            yield Problem((*path, "start_s"), f"{start_s:g}", expected, fix)
        elif start_s is not None and length_s is not None and start_s + length_s > phase_s:
            found = f"an end at {start_s + length_s:g} s"
            expected = f"an end inside the fault phase ({phase_s:g} s)"
            fix = "lengthen phases.fault_s, or shorten the fault"
            yield Problem((*path, "duration_s"), found, expected, fix)


def _expectation_windows(
    data: Mapping[str, object], lengths: Mapping[str, float]
) -> Iterator[Problem]:
    for path, _, mapping in expectations(data):
        phase = mapping.get("phase")
        if phase not in PHASES:
            continue
        if not _mentioned(data, str(phase)):
            fix = f"add phases.{phase}_s, or use another phase"
            yield Problem((*path, "phase"), str(phase), "a phase that happens", fix)
        yield from _inside(path, mapping, str(phase), lengths)


def _inside(
    path: FilePath, mapping: Mapping[str, object], phase: str, lengths: Mapping[str, float]
) -> Iterator[Problem]:
    length_s, after_s = lengths.get(phase), _number(mapping.get("after_s"))
    if length_s is not None and after_s is not None and after_s >= length_s:
        expected = f"less than the {phase} phase's {length_s:g} s"
        fix = "times count from the start of the phase"
        yield Problem((*path, "after_s"), f"{after_s:g}", expected, fix)


def _by_kind(data: Mapping[str, object], lengths: Mapping[str, float]) -> Iterator[Problem]:
    """What each kind of expectation needs from the rest of the file."""
    outline = _outline(data, lengths)
    for path, name, mapping in expectations(data):
        kind = KINDS.get(name)
        if kind is None:
            continue
        if kind.follows_faults and not data.get("faults"):
            yield Problem(path, "no faults", "a fault that it follows", "add faults:, or remove it")
            continue
        for problem in kind.problems(mapping, outline):
            yield replace(problem, path=(*path, *problem.path))


def _outline(data: Mapping[str, object], lengths: Mapping[str, float]) -> Outline:
    load = inner(data, "load")
    rates = (_number(load.get("rate_rps")), _number(load.get("to_rps")))
    unread = {phase: inf for phase in PHASES if _mentioned(data, phase)}
    shares = ((operation, _number(share)) for operation, share in inner(load, "mix").items())
    return Outline(
        phases_s={**unread, **lengths},
        rate_rps=max((rate for rate in rates if rate is not None), default=None),
        mix={operation: share for operation, share in shares if share},
    )
