"""Rules about the faults of an experiment: names, values, what the runtime can do, and which faults may overlap."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from aguante.core.findings import FilePath, Problem
from aguante.experiment.references import finite, inner, mappings
from aguante.faults.fault_kind import Known, Section, Slot
from aguante.faults.fault_registry import KINDS
from aguante.faults.fault_variants import Written
from aguante.testbed.testbed_spec import TestbedSpec


def fault_problems(data: Written, testbed: TestbedSpec, runtime: str) -> Iterator[Problem]:
    """Everything wrong with the faults that is not a fault of their shape.

    Args:
        data: the document as written; values of a wrong type are left to the shape check.
        testbed: the owner of links and services.
        runtime: its name; empty: any, so no kind of fault is refused.
    """
    known = Known(testbed, inner(data, "replicas"))
    yield from _same_ids(data)
    for path, kind, section in _sections(data):
        for problem in kind.problems(section, known):
            yield replace(problem, path=(*path, *problem.path))
        reason = kind.refused_by.get(runtime)
        if reason:
            variant = section.get(kind.choice)
            found = f"{path[-1]}: {variant}" if isinstance(variant, str) else str(path[-1])
            expected = f"a fault on links or processes: {reason}"
            yield Problem(path, found, expected, kind.instead(section))


def _sections(data: Written) -> Iterator[tuple[FilePath, type[Section], Written]]:
    """(path, kind, section) of every fault whose kind is known."""
    for path, fault in mappings(data, "faults"):
        for key, kind in KINDS.items():
            if key in fault:
                yield (*path, key), kind, inner(fault, key)


def _same_ids(data: Written) -> Iterator[Problem]:
    seen: set[object] = set()
    for path, fault in mappings(data, "faults"):
        name = fault.get("id")
        if isinstance(name, str) and name in seen:
            yield Problem((*path, "id"), f"the id {name} again", "an id of its own", "rename one")
        seen.add(name if isinstance(name, str) else None)


@dataclass(frozen=True)
class _Use:
    """One fault, once, in its time."""

    path: FilePath
    name: str
    slot: Slot
    start_s: float
    end_s: float

    def meets(self, other: "_Use") -> bool:
        together = self.start_s < other.end_s and other.start_s < self.end_s
        return self.path != other.path and together and self.slot.overlaps(other.slot)


def overlap_problems(data: Written, phase_s: float | None) -> Iterator[Problem]:
    """Repeats that run into themselves, and pairs of faults that cannot be distinguished but overlap.

    Different toxics on one link, and anything on different links, may overlap.

    Args:
        data: as written; values of a wrong type are left to the shape check.
        phase_s: length of the fault phase; None: not usable.
    """
    uses = []
    for path, fault in mappings(data, "faults"):
        duration_s = finite(fault.get("duration_s"))
        every_s = finite(inner(fault, "repeat").get("every_s"))
        if duration_s is not None and every_s is not None and 0 < every_s <= duration_s:
            fix = "leave a pause between two times, or drop repeat"
            expected = f"more than duration_s ({duration_s:g})"
            yield Problem((*path, "repeat", "every_s"), f"{every_s:g}", expected, fix)
        elif phase_s is not None:
            uses += list(_uses(path, fault, phase_s))
    seen = set()
    for first, second in combinations(uses, 2):
        if (first.path, second.path) not in seen and first.meets(second):
            seen.add((first.path, second.path))
            found = f"an overlap with {first.name} on {second.slot.target}"
            expected = "one fault of a kind on a target at a time"
            yield Problem(second.path, found, expected, "start one after the other has ended")


def _uses(path: FilePath, fault: Written, phase_s: float) -> Iterator[_Use]:
    slot = _slot(fault)
    repeat = inner(fault, "repeat")
    times, every_s = finite(repeat.get("times", 1)), finite(repeat.get("every_s", 0))
    start_s, duration_s = finite(fault.get("start_s", 0)), finite(fault.get("duration_s", phase_s))
    if slot is None or times is None or every_s is None or start_s is None or duration_s is None:
        return
    for n in range(int(min(times, 100))):
        at_s = start_s + n * every_s
        yield _Use(path, str(fault.get("id")), slot, at_s, at_s + duration_s)


def _slot(fault: Mapping[str, object]) -> Slot | None:
    found = (kind.slot(inner(fault, key)) for key, kind in KINDS.items() if inner(fault, key))
    return next(found, None)
