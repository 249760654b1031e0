"""Rules about a whole mapping, for pydantic validators: what they raise becomes a Problem with all its parts."""

from typing import NoReturn

from pydantic_core import PydanticCustomError


def broken(found: str, expected: str, fix: str) -> NoReturn:
    """Report a broken rule from inside a pydantic validator.

    Raises:
        PydanticCustomError: always; ``aguante.core.shape_problems`` makes a Problem of it.
    """
    kind, template = "rule", "{found} instead of {expected}"
    raise PydanticCustomError(kind, template, {"found": found, "expected": expected, "fix": fix})


def at_least_one(given: bool, *names: str) -> None:
    """The rule that one of these keys must be there."""
    if not given:
        broken("none of them", f"at least one of {', '.join(names)}", f"add {names[0]}")
