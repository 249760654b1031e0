"""Applies ``--set`` and replaces ``${name}`` by the variables of ``vars:``.

Both happen on the data as written, before any other check, so that later messages are about the final values. A
message about a value that was set names the ``--set`` option instead of a line.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from aguante.core.findings import FilePath, Finding, Problem, did_you_mean, one_of, shown
from aguante.core.yaml_document import Document, plain_value

NAME = re.compile(r"[a-z][a-z0-9_]*")
_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_STEPS = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PLACE = re.compile(r"[0-9]{1,5}")
VARS = "vars"


@dataclass(frozen=True)
class Setting:
    """One ``--set name=value``."""

    text: str
    name: str
    value: object

    @property
    def path(self) -> FilePath:
        """``faults[0].start_s`` as steps; ``faults.0.start_s`` too."""
        steps = (match[1] or match[2] for match in _STEPS.finditer(self.name))
        return tuple(int(step) if _PLACE.fullmatch(step) else step for step in steps)


def resolved(document: Document, sets: Sequence[str], known: Iterable[str]) -> Document:
    """The document with settings applied and variables replaced; faults are added to its findings.

    Args:
        document: as ``read_document`` returned it, with a mapping as its data.
        sets: ``name=value``, for a variable (``rate=30``) or a path (``load.rate_rps=30``).
        known: the top-level keys of a file.
    """
    findings: list[Finding] = []
    data, places = document.data, dict(document.sets)
    for text in sets:
        try:
            setting = _read(text)
            path = _place(setting, data, tuple(known))
            data = _with(data, path, setting.value)
        except _UnusableError as error:
            where = text.partition("=")[0].strip() or "setting"
            findings.append(Finding(f"--set {text}", 0, where, *error.args))
        else:
            places[path] = text
    changed = replace(document, data=data, sets=places)
    problems = list(_names(data))
    changed = replace(changed, data=_put_in(data, _variables(data), problems))
    located = [changed.locate(problem) for problem in problems]
    return replace(changed, findings=(*document.findings, *findings, *located))


class _UnusableError(Exception):
    """A setting that cannot be applied; its arguments: found, expected, fix."""


def _read(text: str) -> Setting:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        fix = "write --set rate=30 or --set load.rate_rps=30"
        raise _UnusableError(repr(text), "name=value", fix)
    return Setting(text, name.strip(), plain_value(value))


def _place(setting: Setting, data: object, known: Sequence[str]) -> FilePath:
    """The path that it sets: that of a variable of this name, else a path from the top."""
    variables = _variables(data)
    if setting.name in variables:
        return (VARS, setting.name)
    top = setting.path[0] if setting.path else ""
    if top not in known:
        names = [*variables, *known]
        fix = did_you_mean(str(top), names, "declare it under vars:")
        raise _UnusableError(str(top), one_of(names), fix)
    return setting.path


def _with(data: object, path: FilePath, value: object) -> object:
    """A copy of the data with one value changed or added. The mappings and lists above it must exist."""
    step, *rest = path
    if isinstance(data, dict) and isinstance(step, str) and (not rest or step in data):
        inner = _with(data[step], tuple(rest), value) if rest else value
        return {**data, step: inner}
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        inner = _with(data[step], tuple(rest), value) if rest else value
        return [*data[:step], inner, *data[step + 1 :]]
    names = list(data) if isinstance(data, dict) else [str(at) for at in range(_length(data))]
    fix = did_you_mean(
        str(step), names, "set a value that the file has, or a new key of one of its mappings"
    )
    raise _UnusableError(str(step), one_of(names), fix)


def _length(data: object) -> int:
    return len(data) if isinstance(data, list) else 0


def _variables(data: object) -> Mapping[str, object]:
    named = data.get(VARS) if isinstance(data, dict) else None
    return named if isinstance(named, dict) else {}


def _names(data: object) -> Iterator[Problem]:
    for name, value in _variables(data).items():
        if not NAME.fullmatch(name):
            meant = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "a_name"
            expected = "lower-case letters, digits and underscores"
            yield Problem((VARS, name), f"the name {name}", expected, f"write {meant}")
        if isinstance(value, str) and _REFERENCE.search(value):
            fix = "write the value out: variables do not refer to each other"
            yield Problem((VARS, name), shown(value), "a value", fix)


def _put_in(data: object, variables: Mapping[str, object], problems: list[Problem]) -> object:
    """The data with each ``${name}`` replaced, except under ``vars``."""

    def walk(value: object, path: FilePath) -> object:
        if isinstance(value, dict):
            return {
                key: inner if not path and key == VARS else walk(inner, (*path, key))
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [walk(inner, (*path, at)) for at, inner in enumerate(value)]
        return _filled(value, path, variables, problems) if isinstance(value, str) else value

    return walk(data, ())


def _filled(
    text: str, path: FilePath, variables: Mapping[str, object], problems: list[Problem]
) -> object:
    """A text that is a single reference gets the variable's value and type; other results are parsed again."""
    names = _REFERENCE.findall(text)
    if not names:
        return text
    unknown = [name for name in names if name not in variables]
    for name in unknown:
        fix = did_you_mean(name, variables, f"add {name} under vars:")
        if not variables:
            fix = f"add vars: {{{name}: ...}}"
        problems.append(Problem(path, f"${{{name}}}", one_of(variables), fix))
    if unknown:
        return text
    if _REFERENCE.fullmatch(text):
        return variables[names[0]]
    return plain_value(_REFERENCE.sub(lambda match: _written(variables[match[1]]), text))


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
