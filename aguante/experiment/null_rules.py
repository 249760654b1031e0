"""A key without a value says nothing: it is filled in or taken away, as the JSON Schema has it.

For the model an absent value and ``null`` are one and the same; for whoever left ``fault_s:`` empty, and
for the rules that ask whether a key is there, they are not.
"""

from collections.abc import Iterable, Iterator

from aguante.core.findings import Problem

Path_ = tuple[str | int, ...]


def null_problems(data: object, known: Iterable[Problem]) -> list[Problem]:
    """Each place of the document that holds nothing, and of which nothing worse is known yet."""
    told = {each.path for each in known}
    hints = ((path, f"fill in {_key(path)}, or remove it") for path in _nulls(data, ()))
    return [Problem(path, "nothing", "a value", hint) for path, hint in hints if path not in told]


def _key(path: Path_) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "it")


def _nulls(value: object, path: Path_) -> Iterator[Path_]:
    if value is None and path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _nulls(each, (*path, key))
    if isinstance(value, list):
        for at, each in enumerate(value):
            yield from _nulls(each, (*path, at))
