"""Types of options of a fault: key in the file, the tool's own name, bounds, checks and JSON Schema.

A row of a kind's table (a toxic, a command) lists its options with these types; loader, driver and schema read the row.
"""

import ipaddress
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from pydantic import JsonValue

from aguante.core.findings import Problem, did_you_mean, one_of, shown
from aguante.core.units import a_number, meant_number

JsonSchema = dict[str, JsonValue]
OptionValue = bool | int | float | str | tuple[str, ...]
TEN_MINUTES_MS = 600_000
LIST_MAX = 32
PORTS = (1, 65_535)


@dataclass(frozen=True)
class Option(ABC):
    """One option of a toxic, a command, or whatever a kind offers."""

    key: str
    """In the file, ending in its unit."""
    name: str
    """The tool's own name or flag; empty: the driver computes something else from it."""
    meaning: str
    _: KW_ONLY
    default: OptionValue | None = None
    """Used where the file does not give it; None: it must be given."""
    SCHEMA: ClassVar[JsonSchema]
    """JSON Schema of the type."""

    @abstractmethod
    def problems(self, value: object) -> Iterator[Problem]:
        """What is wrong with a value as written in the file; paths start at the section."""

    def _problem(self, found: str, expected: str, fix: str) -> Problem:
        return Problem((self.key,), found, expected, fix)

    @property
    def summary(self) -> str:
        """Meaning and bounds, for a message."""
        return self.meaning

    def limits_schema(self) -> JsonSchema:
        """JSON Schema of meaning and bounds."""
        return {"description": self.meaning, **self._limits()}

    def _limits(self) -> JsonSchema:
        return {}

    def planned(self, value: object) -> OptionValue:
        """A checked value as the plan stores it.

        Raises:
            TypeError: the value was not checked.
        """
        if isinstance(value, Sequence) and not isinstance(value, str):
            return tuple(str(each) for each in value)
        if isinstance(value, bool | int | float | str):
            return value
        message = f"{self.key} is {value!r}, which was not checked"
        raise TypeError(message)


@dataclass(frozen=True)
class Number(Option):
    """A number within bounds, both inclusive."""

    SCHEMA: ClassVar[JsonSchema] = {"type": "number"}
    bounds: tuple[float, float]

    def problems(self, value: object) -> Iterator[Problem]:
        """No number, or out of bounds."""
        low, high = self.bounds
        if not self._has_type(value):
            expected = a_number(self.key, whole=isinstance(self, Whole))
            fix = meant_number(self.key, value) if isinstance(value, str) else f"give {self._range}"
            yield self._problem(shown(value), expected, fix)
        elif not low <= value <= high:  # type: ignore[operator]
            yield self._problem(shown(value), self._range, f"give {self._range} ({self.meaning})")

    @property
    def _range(self) -> str:
        return " to ".join(map(as_text, self.bounds))

    @property
    def summary(self) -> str:
        """With the bounds."""
        return f"{self.meaning}, {self._range}"

    def _has_type(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)

    def _limits(self) -> JsonSchema:
        return {"minimum": self.bounds[0], "maximum": self.bounds[1]}


@dataclass(frozen=True)
class Whole(Number):
    """A whole number within bounds, both inclusive."""

    SCHEMA: ClassVar[JsonSchema] = {"type": "integer"}
    bounds: tuple[int, int]
    _: KW_ONLY
    unit: str = ""
    """Follows the number in the tool's own flag."""

    def _has_type(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class Flag(Option):
    """True or false; false by default."""

    SCHEMA: ClassVar[JsonSchema] = {"type": "boolean"}
    _: KW_ONLY
    default: OptionValue | None = False

    def problems(self, value: object) -> Iterator[Problem]:
        """Neither true nor false."""
        if not isinstance(value, bool):
            yield self._problem(shown(value), "true or false", "write true, or leave it out")


@dataclass(frozen=True)
class Words(Option):
    """One text: any, or one of ``choices``."""

    SCHEMA: ClassVar[JsonSchema] = {"type": "string"}
    choices: tuple[str, ...] = ()

    def problems(self, value: object) -> Iterator[Problem]:
        """No text, or none of the choices."""
        if not isinstance(value, str) or not value:
            yield self._problem(shown(value), "text", "write some text, in quotes")
        elif self.choices and value not in self.choices:
            fix = did_you_mean(value, self.choices, "choose one of them")
            yield self._problem(value, one_of(self.choices), fix)

    def _limits(self) -> JsonSchema:
        return {"enum": list(self.choices)} if self.choices else {}


@dataclass(frozen=True)
class Interface(Words):
    """The name of a network interface."""

    def problems(self, value: object) -> Iterator[Problem]:
        """No name that Linux and Pumba accept."""
        wrong = list(super().problems(value))
        if not wrong and not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9.:_-]{0,14}", str(value)):
            fix = "`ip link` in the container lists them; the first network is eth0"
            wrong = [self._problem(shown(value), "the name of a network interface", fix)]
        yield from wrong


@dataclass(frozen=True)
class TextList(Option):
    """A list of texts; empty by default."""

    SCHEMA: ClassVar[JsonSchema] = {"type": "array", "items": {"type": "string"}}
    _: KW_ONLY
    default: OptionValue | None = ()

    def problems(self, value: object) -> Iterator[Problem]:
        """No list, a long one, or wrong items."""
        if not isinstance(value, list) or len(value) > LIST_MAX:
            yield self._problem(shown(value), f"a list of at most {LIST_MAX}", "write [one, two]")
            return
        for number, item in enumerate(value):
            if not self._good(item):
                yield Problem((self.key, number), shown(item), *self._wanted())

    def _good(self, item: object) -> bool:
        return isinstance(item, str)

    def _wanted(self) -> tuple[str, str]:
        """(what is expected of an item, how to fix it)."""
        return "text", "put it in quotes"


@dataclass(frozen=True)
class PortList(TextList):
    """A list of TCP or UDP ports; empty (any port) by default."""

    SCHEMA: ClassVar[JsonSchema] = {"type": "array", "items": {"type": "integer"}}

    def _good(self, item: object) -> bool:
        low, high = PORTS
        return isinstance(item, int) and not isinstance(item, bool) and low <= item <= high

    def _wanted(self) -> tuple[str, str]:
        return f"a port, {PORTS[0]} to {PORTS[1]}", "write its number"


@dataclass(frozen=True)
class NetworkList(TextList):
    """A list of IPv4 networks; empty (any address) by default."""

    def _good(self, item: object) -> bool:
        if not isinstance(item, str):
            return False
        try:
            ipaddress.IPv4Network(item, strict=False)
        except ValueError:
            return False
        return True

    def _wanted(self) -> tuple[str, str]:
        return "an IPv4 network", "write 172.20.0.0/16"


def as_text(value: OptionValue) -> str:
    """A value as a person reads it."""
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
