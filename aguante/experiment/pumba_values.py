"""Whether a value is one that an option of Pumba can have."""

import ipaddress
import re
from collections.abc import Iterator

from aguante.core.findings import Problem, did_you_mean, one_of, shown
from aguante.core.units import a_number, meant_number
from aguante.faults.pumba_options import Option

Path_ = tuple[str | int, ...]
INTERFACE = re.compile(r"[a-zA-Z][a-zA-Z0-9.:_-]{0,14}")
"""As Pumba takes it, and no longer than Linux does."""
WORDS_MAX = 32


def value_problem(at: Path_, option: Option, value: object) -> Iterator[Problem]:
    """What is wrong with the value of one option; nothing, where all is well.

    Args:
        at: where it stands.
        option: of the driver's table.
        value: as written.
    """
    match option.kind:
        case "whole" | "number":
            yield from _number(at, option, value)
        case "text":
            yield from _text(at, option, value)
        case "words":
            yield from _words(at, option, value)
        case "flag":
            if not isinstance(value, bool):
                yield Problem(at, shown(value), "true or false", "write true, or leave it out")


def _number(at: Path_, option: Option, value: object) -> Iterator[Problem]:
    wanted = int if option.kind == "whole" else (int, float)
    bounds = f"{option.minimum:g} to {option.maximum:g}"
    if isinstance(value, bool) or not isinstance(value, wanted):
        expected = a_number(option.key)
        if option.kind == "whole":
            expected = expected.replace("number", "whole number", 1)
        hint = meant_number(option.key, value) if isinstance(value, str) else f"give {bounds}"
        yield Problem(at, shown(value), expected, hint)
    elif not option.minimum <= value <= option.maximum:
        yield Problem(at, shown(value), bounds, f"give {bounds} ({option.meaning})")


def _text(at: Path_, option: Option, value: object) -> Iterator[Problem]:
    if not isinstance(value, str) or not value:
        yield Problem(at, shown(value), "text", "write some text, in quotes")
    elif option.choices and value not in option.choices:
        hint = did_you_mean(value, option.choices, "choose one of them")
        yield Problem(at, value, one_of(option.choices), hint)
    elif option.key == "interface" and not INTERFACE.fullmatch(value):
        hint = "`ip link` in the container lists them; the first network is eth0"
        yield Problem(at, shown(value), "the name of a network interface", hint)


def _words(at: Path_, option: Option, value: object) -> Iterator[Problem]:
    if not isinstance(value, list) or len(value) > WORDS_MAX:
        hint = "write [one, two]"
        yield Problem(at, shown(value), f"a list of at most {WORDS_MAX}", hint)
        return
    for number, each in enumerate(value):
        why = _word(option, each)
        if why:
            yield Problem((*at, number), shown(each), *why)


def _word(option: Option, word: object) -> tuple[str, str] | None:
    """(what is expected, how to fix it), or None."""
    if option.maximum:
        bounds = f"{option.minimum:g} to {option.maximum:g}"
        port = isinstance(word, int) and not isinstance(word, bool)
        good = port and option.minimum <= word <= option.maximum  # type: ignore[operator]
        return None if good else (f"a port, {bounds}", "write its number")
    if option.early:
        return None if _is_network(word) else ("an IPv4 network", "write 172.20.0.0/16")
    return None if isinstance(word, str) else ("text", "put it in quotes")


def _is_network(word: object) -> bool:
    try:
        ipaddress.IPv4Network(word, strict=False) if isinstance(word, str) else None
    except ValueError:
        return False
    return isinstance(word, str)
