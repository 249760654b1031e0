"""Check a decoded document against a typed schema and report every fault, not only the first.

`msgspec.convert` stops at the first fault. Where it finds one, each field is converted on its own, so that the
author of a policy file or of a request reads all faults at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where it is (a dotted path), what is wrong there, and how to fix it.

    `file` and `line` (from 1) say where that is written; "" and 0 where the document is no file.
    """

    where: str
    message: str
    fix: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        fix = f"; fix: {self.fix}" if self.fix else ""
        return f"{place}{self.where or 'the whole document'}: {self.message}{fix}"


@dataclass(eq=False)
class Invalid(Exception):  # noqa: N818 - it carries findings, it is not one error
    """The document does not fit its schema; `findings` holds every fault."""

    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        return "; ".join(str(finding) for finding in self.findings)


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen struct of a document that somebody writes: a key that it does not have is a fault."""


S = TypeVar("S", bound=Strict)


def convert(value: object, schema: type[S]) -> S:
    """Return `value`, as a JSON or YAML decoder gives it, as a `schema`; raises `Invalid` with every fault."""
    try:
        return msgspec.convert(value, schema)
    except msgspec.ValidationError as error:
        raise Invalid(tuple(_faults(value, schema, ""))) from error


def _faults(value: object, schema: Any, path: str) -> Iterator[Finding]:
    structs = _structs_in(schema)
    if structs and isinstance(value, Mapping):
        yield from _faults_of_union(value, structs, path)
        return
    try:
        msgspec.convert(value, schema)
    except msgspec.ValidationError as error:
        yield Finding(path, f"{_expectation(schema) or error}; found {_shown(value)}")


def _faults_of_union(
    value: Mapping[Any, object], structs: list[type[msgspec.Struct]], path: str
) -> Iterator[Finding]:
    """Check against the one struct, or against that of several whose tag the value names."""
    if len(structs) == 1:
        yield from _faults_of_struct(value, structs[0], path)
        return
    tagged = {str(struct.__struct_config__.tag): struct for struct in structs}
    field = str(structs[0].__struct_config__.tag_field)
    tag = value.get(field)
    if field not in value:
        yield Finding(_join(path, field), f"is missing; one of {', '.join(tagged)}")
    elif not isinstance(tag, str) or tag not in tagged:
        yield Finding(_join(path, field), _unknown(tag, tagged))
    else:
        yield from _faults_of_struct(value, tagged[tag], path)


def _faults_of_struct(
    value: Mapping[Any, object], struct: type[msgspec.Struct], path: str
) -> Iterator[Finding]:
    fields = _fields_of(struct)
    known = {*fields, struct.__struct_config__.tag_field}
    for key in value:
        if key not in known:
            yield Finding(_join(path, str(key)), _unknown(key, fields))
    for name, field in fields.items():
        if name in value:
            yield from _faults(value[name], field.type, _join(path, name))
        elif field.required:
            yield Finding(_join(path, name), "is missing")


@cache
def _fields_of(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    # Cached: msgspec evaluates the type hints anew at each call.
    return {field.encode_name: field for field in msgspec.structs.fields(struct)}


def _structs_in(schema: Any) -> list[type[msgspec.Struct]]:
    """Return the struct that `schema` is, or the structs of which it may be one (`A | B | None`)."""
    return [
        candidate
        for candidate in (schema, *get_args(schema))
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct)
    ]


def _expectation(schema: Any) -> str:
    """Return the description of an annotated type, which is easier to read than its regular expression."""
    if get_origin(schema) is not Annotated:
        return ""
    texts = [meta.description for meta in schema.__metadata__ if isinstance(meta, msgspec.Meta)]
    return "".join(f"must be {text}" for text in texts if text)


def _unknown(key: object, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    if close:
        return f"is not known; did you mean {close[0]}?"
    return f"is not known; known: {', '.join(known)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
