"""Two faults that cannot be told apart may not hold at the same time.

The same toxic twice on one link and stream would add up, or one undo would lift both (``down``), and
no attempt could say which of the two it felt. The same goes for two actions on one process or container,
whoever does them. Different toxics on one link, and anything on different links, may overlap as they like.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from aguante.spec.findings import Problem
from aguante.spec.references import inner, mappings

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
        duration_s, every_s = fault.get("duration_s"), inner(fault, "repeat").get("every_s")
        if _number(duration_s) and _number(every_s) and 0 < every_s <= duration_s:  # type: ignore[operator]
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
    times, every_s = repeat.get("times", 1), repeat.get("every_s", 0)
    start_s, duration_s = fault.get("start_s", 0), fault.get("duration_s", phase_s)
    if not all(_number(each) for each in (times, every_s, start_s, duration_s)) or not target:
        return
    for n in range(min(int(times), 100)):  # type: ignore[call-overload]
        at_s = float(start_s) + n * float(every_s)  # type: ignore[arg-type]
        end_s = at_s + float(duration_s)  # type: ignore[arg-type]
        name, instance = str(fault.get("id")), process.get("instance")
        yield _Planned(path, name, str(target), thing, instance, at_s, end_s)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
