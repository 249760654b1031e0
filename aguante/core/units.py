"""Units in key names: the unit that a key takes, and what was meant by a value or key with another unit."""

import re

from aguante.core.durations import SECONDS, seconds_of
from aguante.core.findings import did_you_mean, nearest

UNITS = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "rps": "requests per second",
    "kb_per_s": "kilobytes per second",
    "bytes": "bytes",
}
_QUANTITY = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([a-zA-Zµ%]*)\s*")


def unit_of(key: str) -> str:
    """The unit that ends a key's name, e.g. ``ms`` of ``p95_ms_max``; empty where there is none."""
    bare = key.removesuffix("_max").removesuffix("_min")
    found = [unit for unit in UNITS if bare.endswith(f"_{unit}") or bare == unit]
    return max(found, key=len, default="")


def a_number(key: str, *, whole: bool = False) -> str:
    """What a key takes, in words: ``a number of milliseconds``."""
    unit, number = unit_of(key), "a whole number" if whole else "a number"
    return f"{number} of {UNITS[unit]}" if unit else number


def meant_number(key: str, text: str) -> str:
    """The fix for text where a number belongs: converts ``3.5s`` to the key's own unit.

    Args:
        key: the key's name, which carries its unit.
        text: the text found, e.g. ``3.5s``, ``97%``, ``fast``.
    """
    want, seconds = unit_of(key), seconds_of(text)
    if want in SECONDS and seconds is not None and not text.strip()[-1].isdigit():
        return f"write {seconds / SECONDS[want]:g}: the unit is in the key's name"
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return "write a plain number, without quotes"
    amount, unit = float(match[1]), match[2].lower()
    if unit == "%":
        return f"write {amount / 100:g}: shares go from 0 to 1"
    return f"write {amount:g}, without quotes"


def meant_key(key: str, known: list[str]) -> tuple[str, str]:
    """(the known key that was probably meant or empty, the fix that names it).

    The same key with its unit comes first, then the nearest in spelling.

    Args:
        key: as found.
        known: the keys that the mapping may have.
    """
    stem = _stem(key)
    for name in known:
        if name != key and _stem(name) == stem and unit_of(name):
            return name, f"write {name}: a key ends in its unit ({UNITS[unit_of(name)]})"
    return nearest(key, known) or "", did_you_mean(key, known, "remove it")


def _stem(key: str) -> str:
    unit = unit_of(key)
    return key.removesuffix(f"_{unit}") if unit else key
