"""Reads back what a run wrote; reports what cannot be read with the file and its first fault."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from aguante.core.findings import Problem
from aguante.core.shape_problems import shape_problems
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
        fix = "run it again, or read it with the version that wrote it"
        message = f"{path}: not what this version writes: {first_fault(error, model)}; fix: {fix}"
        raise NotARunError(message) from error


def first_fault(error: ValidationError, model: type[Value]) -> str:
    """``where: found ..., expected ...`` of the first fault, and how many more there are."""
    first, *more = shape_problems(error, model)
    others = f" (and {len(more)} more)" if more else ""
    return f"{_without_fix(first)}{others}"


def _without_fix(problem: Problem) -> str:
    """Nobody edits such a file by hand."""
    where = f"{problem.where}: " if problem.path else ""
    return f"{where}found {problem.found}, expected {problem.expected}"
