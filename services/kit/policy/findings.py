"""Check a decoded document against a typed schema and report every fault, not just the first.

``msgspec.convert`` stops at the first fault. Here each field is converted on its own, so that the author of a
policy file or of a request reads all that is wrong at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

import msgspec

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where it is (a dotted path), what is wrong with what was found there, and how to mend it.

    ``place`` is ``file:line`` where the document is a file.
    """

    path: str
    message: str
    mend: str = ""
    place: str = ""

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        mend = f"; mend: {self.mend}" if self.mend else ""
        return f"{place}{self.path or 'the whole document'}: {self.message}{mend}"


@dataclass(eq=False)
class Invalid(Exception):  # noqa: N818 - it carries findings, it is not one error
    """The document does not fit; ``findings`` holds every fault."""

    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        return "; ".join(str(finding) for finding in self.findings)


def convert(value: object, schema: type[T]) -> T:
    """Return ``value`` (as a JSON or YAML decoder gives it) as a ``schema``; raises ``Invalid`` with every fault."""
    findings = tuple(_faults(value, schema, ""))
    if findings:
        raise Invalid(findings)
    return msgspec.convert(value, schema)


def _faults(value: object, schema: Any, path: str) -> list[Finding]:
    structs = _structs_in(schema)
    if structs and isinstance(value, Mapping):
        return _faults_of_union(value, structs, path)
    if get_origin(schema) is dict and isinstance(value, Mapping):
        item = get_args(schema)[1]
        return [
            f for key, entry in value.items() for f in _faults(entry, item, _join(path, str(key)))
        ]
    try:
        msgspec.convert(value, schema)
    except msgspec.ValidationError as error:
        return [Finding(path, f"{error}; found {_shown(value)}")]
    return []


def _faults_of_union(
    value: Mapping[Any, object], structs: list[type[msgspec.Struct]], path: str
) -> list[Finding]:
    """Check against the one struct, or against that of several whose tag the value names."""
    if len(structs) == 1:
        return _faults_of_struct(value, structs[0], path)
    tagged = {str(struct.__struct_config__.tag): struct for struct in structs}
    field = str(structs[0].__struct_config__.tag_field)
    if field not in value:
        return [Finding(_join(path, field), f"is missing; one of {', '.join(tagged)}")]
    tag = value[field]
    if not isinstance(tag, str) or tag not in tagged:
        return [Finding(_join(path, field), _unknown(tag, tagged))]
    return _faults_of_struct(value, tagged[tag], path)


def _faults_of_struct(
    value: Mapping[Any, object], struct: type[msgspec.Struct], path: str
) -> list[Finding]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    known = {*fields, struct.__struct_config__.tag_field}
    found = [
        Finding(_join(path, str(key)), _unknown(key, fields)) for key in value if key not in known
    ]
    for name, field in fields.items():
        if name in value:
            found += _faults(value[name], field.type, _join(path, name))
        elif field.required:
            found.append(Finding(_join(path, name), "is missing"))
    return found


def _structs_in(schema: Any) -> list[type[msgspec.Struct]]:
    """Return the struct that ``schema`` is, or the structs of which it may be one (``A | B | None``)."""
    return [
        candidate
        for candidate in (schema, *get_args(schema))
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct)
    ]


def _unknown(key: object, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    return (
        f"is not known; did you mean {close[0]}?"
        if close
        else f"is not known; known: {', '.join(known)}"
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
