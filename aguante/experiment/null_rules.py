"""A key without a value is a fault, as in the JSON Schema.

The model treats an absent key and ``null`` alike. A file with an empty ``fault_s:`` is incomplete, though, and the
rules that ask whether a key is present would take it as present.
"""

from collections.abc import Iterable, Iterator

from aguante.core.findings import FilePath, Problem


def null_problems(data: object, known: Iterable[Problem]) -> list[Problem]:
    """Each place of the document without a value, unless another problem is known there."""
    reported = {each.path for each in known}
    fixes = ((path, f"fill in {_key(path)}, or remove it") for path in _nulls(data, ()))
    return [Problem(path, "nothing", "a value", fix) for path, fix in fixes if path not in reported]


def _key(path: FilePath) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "it")


def _nulls(value: object, path: FilePath) -> Iterator[FilePath]:
    if value is None and path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _nulls(each, (*path, key))
    if isinstance(value, list):
        for at, each in enumerate(value):
            yield from _nulls(each, (*path, at))
