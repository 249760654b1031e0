"""What a run wrote, read back as the value that it was; what cannot be read is said in our own words."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aguante.core.findings import dotted, shown
from aguante.core.pydantic_wording import expected_of
from aguante.core.values import Value

V = TypeVar("V", bound=Value)


class NotARunError(Exception):
    """A folder does not hold a run that this version can read. Says what is missing, and where."""


def read_value(model: type[V], path: Path) -> V:
    """The value that a file holds as JSON.

    Raises:
        OSError: the file cannot be read.
        NotARunError: it holds something else; names the file and the first fault.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        fix = "play it again, or read it with the version that wrote it"
        message = f"{path}: not what this version writes: {first_fault(error)}; fix: {fix}"
        raise NotARunError(message) from error


def first_fault(error: ValidationError) -> str:
    """``place: found ..., expected ...`` of the first fault, and how many more there are."""
    first, *more = error.errors(include_url=False)
    others = f" (and {len(more)} more)" if more else ""
    return f"{_said(first)}{others}"


def _said(fault: ErrorDetails) -> str:
    place = f"{dotted(fault['loc'])}: " if fault["loc"] else ""
    if fault["type"] == "json_invalid":
        where = str(fault["msg"]).rpartition(" at ")[2]
        return f"found something else than JSON ({where}), expected JSON"
    found = "nothing" if fault["type"] == "missing" else shown(fault["input"])
    return f"{place}found {found}, expected {expected_of(fault)}"
