"""Rules about a whole mapping, broken with the words that a Finding wants."""

from typing import NoReturn

from pydantic_core import PydanticCustomError


def broken(found: str, expected: str, fix: str) -> NoReturn:
    """Report a broken rule from inside a pydantic validator.

    Raises:
        PydanticCustomError: always; ``aguante.experiment.shape`` makes a Problem of it.
    """
    kind, template = "rule", "{found} instead of {expected}"
    raise PydanticCustomError(kind, template, {"found": found, "expected": expected, "fix": fix})


def at_least_one(given: bool, *names: str) -> None:
    """The rule that one of these keys must be there."""
    if not given:
        broken("none of them", f"at least one of {', '.join(names)}", f"add {names[0]}")
