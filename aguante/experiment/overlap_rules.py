"""Two faults that cannot be told apart may not hold at the same time.

The same toxic twice on one link and stream would add up, or one undo would lift both (``down``), and
no attempt could say which of the two it felt. The same goes for two actions on one process or container,
whoever does them. Different toxics on one link, and anything on different links, may overlap as they like.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from aguante.core.findings import Problem
from aguante.experiment.references import finite, inner, mappings

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class _Planned:
    path: Path_
    name: str
    target: str
    thing: tuple[object, ...]
    """What two faults may not share at one time."""
    instance: object
    start_s: float
    end_s: float


def overlap_problems(data: Mapping[str, object], phase_s: float | None) -> Iterator[Problem]:
    """Repeats that run into themselves, and pairs of like faults that hold at the same time.

    Args:
        data: as written; what is of a wrong type is left to the shape check.
        phase_s: length of the fault phase; None: not usable.
    """
    planned = []
    for path, fault in mappings(data, "faults"):
        duration_s = finite(fault.get("duration_s"))
        every_s = finite(inner(fault, "repeat").get("every_s"))
        if duration_s is not None and every_s is not None and 0 < every_s <= duration_s:
            hint = "leave a pause between two times, or drop repeat"
            expected = f"more than duration_s ({duration_s:g})"
            yield Problem((*path, "repeat", "every_s"), f"{every_s:g}", expected, hint)
        elif phase_s is not None:
            planned += list(_windows(path, fault, phase_s))
    seen = set()
    for first, second in combinations(planned, 2):
        pair = (first.path, second.path)
        if first.path != second.path and pair not in seen and _meet(first, second):
            seen.add(pair)
            found = f"the same as {first.name} on {second.target} at the same time"
            expected = "one fault of a kind on a target at a time"
            yield Problem(second.path, found, expected, "let one start after the other has ended")


def _meet(one: _Planned, other: _Planned) -> bool:
    together = one.start_s < other.end_s and other.start_s < one.end_s
    whole = one.instance is None or other.instance is None
    return together and one.thing == other.thing and (whole or one.instance == other.instance)


def _windows(path: Path_, fault: Mapping[str, object], phase_s: float) -> Iterator[_Planned]:
    toxic, process = inner(fault, "toxiproxy"), inner(fault, "process") or inner(fault, "pumba")
    target = toxic.get("link") if toxic else process.get("service")
    thing = (target, toxic.get("toxic"), toxic.get("stream", "downstream")) if toxic else (target,)
    repeat = inner(fault, "repeat")
    times, every_s = finite(repeat.get("times", 1)), finite(repeat.get("every_s", 0))
    start_s, duration_s = finite(fault.get("start_s", 0)), finite(fault.get("duration_s", phase_s))
    if times is None or every_s is None or start_s is None or duration_s is None or not target:
        return
    for n in range(int(min(times, 100))):
        at_s = start_s + n * every_s
        name, instance = str(fault.get("id")), process.get("instance")
        yield _Planned(path, name, str(target), thing, instance, at_s, at_s + duration_s)
