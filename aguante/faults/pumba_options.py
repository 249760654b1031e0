"""Options of Pumba's commands: what our YAML calls them, what Pumba does, and their bounds.

Standard library only, so that validating a file imports nothing of the driver.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

OptionValue = bool | int | float | str | tuple[str, ...]
Kind = Literal["whole", "number", "text", "words", "flag"]


@dataclass(frozen=True)
class Option:
    """One option of a command."""

    key: str
    """In our YAML, ending in its unit."""
    kind: Kind
    meaning: str
    default: OptionValue | None
    """What holds when the YAML does not give it; None: it must be given."""
    flag: str = ""
    """Pumba's own; empty: the driver makes something else of it."""
    minimum: float = 0
    maximum: float = 0
    """Of a number, or of each word that is a port; 0: these words are no numbers."""
    choices: tuple[str, ...] = ()
    """Of a text; empty: any."""
    unit: str = ""
    """What follows the number in Pumba's flag."""
    early: bool = False
    """An option of ``netem`` or ``iptables`` itself, which stands before what is emulated."""


def whole(
    key: str, flag: str, bounds: tuple[int, int], meaning: str, default: int | None, unit: str = ""
) -> Option:
    """A whole number within bounds, both inclusive."""
    return Option(key, "whole", meaning, default, flag, *bounds, unit=unit)


def number(
    key: str, flag: str, bounds: tuple[float, float], meaning: str, default: float | None
) -> Option:
    """A number within bounds, both inclusive."""
    return Option(key, "number", meaning, default, flag, *bounds)


def percent(key: str, flag: str, meaning: str, default: float | None) -> Option:
    """A number from 0 to 100."""
    return Option(key, "number", meaning, default, flag, 0.0, 100.0)


def flag(key: str, flag: str, meaning: str) -> Option:
    """True or false; false by default."""
    return Option(key, "flag", meaning, False, flag)


def text(
    key: str, flag: str, meaning: str, default: str | None, choices: tuple[str, ...] = ()
) -> Option:
    """Any text, or one of these."""
    return Option(key, "text", meaning, default, flag, choices=choices)


def words(key: str, flag: str, meaning: str) -> Option:
    """A list of texts; none by default."""
    return Option(key, "words", meaning, (), flag)


def ports(key: str, flag: str, meaning: str) -> Option:
    """A list of ports, of the network command itself; none (any port) by default."""
    return Option(key, "words", meaning, (), flag, 1, 65_535, early=True)


def addresses(key: str, flag: str, meaning: str) -> Option:
    """A list of IPv4 networks, of the network command itself; none (any address) by default."""
    return Option(key, "words", meaning, (), flag, early=True)


def typed(option: Option, value: object) -> OptionValue:
    """A checked value as the plan keeps it.

    Raises:
        TypeError: it is none that the option can have.
    """
    if option.kind == "words" and isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(str(each) for each in value)
    if option.kind == "number" and isinstance(value, int | float):
        return float(value)
    if isinstance(value, bool | int | str):
        return value
    message = f"{option.key} is {value!r}, which was not checked"
    raise TypeError(message)


def told(value: OptionValue) -> str:
    """A value as a person reads it."""
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
