"""Whether a fault's toxic exists and its attributes make sense, by the table that the driver uses too."""

from collections.abc import Iterator, Mapping

from aguante.core.findings import Problem, did_you_mean, one_of
from aguante.core.units import meant_key
from aguante.experiment.experiment import ToxiproxySection
from aguante.faults.toxics import DOWN, TOXICS, Attribute, ToxicType
from aguante.faults.toxics import findings as toxic_findings

Path_ = tuple[str | int, ...]
OWN_KEYS = ("link", "toxic", "stream", "toxicity")


def toxic_problems(path: Path_, section: Mapping[str, object]) -> list[Problem]:
    """Everything wrong with one ``toxiproxy:`` mapping, as far as its toxic is known.

    Args:
        path: where the mapping stands.
        section: the mapping as written; values of a wrong type are left to the shape check.
    """
    name = section.get("toxic")
    if not isinstance(name, str):
        return []
    kind = TOXICS.get(name)
    if kind is None:
        hint = did_you_mean(name, TOXICS, "choose one of them")
        return [Problem((*path, "toxic"), name, one_of(TOXICS), hint)]
    problems = [*_unknown(path, section, kind), *_values(path, section, kind)]
    return problems or _together(path, section, kind)


def _unknown(path: Path_, section: Mapping[str, object], kind: ToxicType) -> Iterator[Problem]:
    known = [each.key for each in kind.attributes]
    for key in section:
        if key not in OWN_KEYS and key not in known:
            expected = f"{one_of(known)} with toxic {kind.name}"
            meant, hint = meant_key(key, [*known, *OWN_KEYS])
            yield Problem(
                (*path, key), f"the key {key}", expected, hint, unknown_key=True, meant=meant
            )


def _values(path: Path_, section: Mapping[str, object], kind: ToxicType) -> Iterator[Problem]:
    for each in kind.attributes:
        value = section.get(each.key)
        bounds = f"{each.minimum} to {each.maximum}"
        if each.key not in section and each.default is None:
            hint = f"add {each.key}: ({each.meaning})"
            expected = f"{each.key} with toxic {kind.name}"
            yield Problem((*path, each.key), "nothing", expected, hint, at_key=False)
        elif _whole(value) and not each.minimum <= value <= each.maximum:  # type: ignore[operator]
            hint = f"give {bounds} ({each.meaning})"
            yield Problem((*path, each.key), str(value), bounds, hint)


def _together(path: Path_, section: Mapping[str, object], kind: ToxicType) -> list[Problem]:
    """What no attribute says alone, e.g. more jitter than latency."""
    if kind.name == DOWN and "stream" in section:
        hint = "remove it: a proxy is down both ways"
        return [Problem((*path, "stream"), "the key stream", "no stream with down", hint)]
    given = {a.name: section[a.key] for a in kind.attributes if _whole(section.get(a.key))}
    toxicity = section.get("toxicity", 1.0)
    mistyped = any(a.key in section and a.name not in given for a in kind.attributes)
    if mistyped or not isinstance(toxicity, int | float) or not 0 < toxicity <= 1:
        return []  # the shape check says it
    messages = toxic_findings(kind.name, given, toxicity)  # type: ignore[arg-type]
    return [_said(path, kind, message) for message in messages]


def _said(path: Path_, kind: ToxicType, message: str) -> Problem:
    key = message.split(" ", 1)[0]
    found, _, hint = message.partition("; ")
    return Problem((*path, key), found, f"values that {kind.name} can have", hint or "correct it")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def driver_attributes(section: ToxiproxySection) -> tuple[tuple[str, int], ...]:
    """The attributes by Toxiproxy's own names, defaults filled in, in the table's order."""
    return tuple(
        (each.name, value)
        for each in TOXICS[section.toxic].attributes
        if (value := _given(section, each)) is not None
    )


def _given(section: ToxiproxySection, attribute: Attribute) -> int | None:
    return section.attributes.get(attribute.key, attribute.default)
