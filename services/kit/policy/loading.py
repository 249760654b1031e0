"""Reads a policy file: every fault of its writing, its schema and its rules at once, each with file, line and mend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from services.kit.policy.findings import Finding, Invalid, convert
from services.kit.policy.retry_rules import faults
from services.kit.policy.sections import Policy

FILE_BYTES_MAX = 100_000


def load_policy(path: Path) -> Policy:
    """Read a policy file; raises ``Invalid`` with every fault in it, ``OSError`` when it cannot be read."""
    text = _text(path)
    lines, twice = _lines(path, text)
    if twice:
        raise Invalid(tuple(twice))
    document: object = YAML(typ="safe", pure=True).load(text)
    try:
        policy = convert(_off_is_null(document), Policy)
    except Invalid as invalid:
        raise Invalid(tuple(_placed(path, lines, invalid.findings))) from None
    broken = faults(policy)
    if broken:
        raise Invalid(tuple(_placed(path, lines, broken)))
    return policy


def line_of(path: Path, where: str) -> int:
    """Return the line of the deepest part of ``where``, a dotted path, in a policy that ``load_policy`` has read."""
    lines, _ = _lines(path, _text(path))
    return _nearest(lines, where)


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if len(raw) > FILE_BYTES_MAX:
        message = f"has {len(raw)} bytes, more than {FILE_BYTES_MAX}"
        raise Invalid((Finding("", message, "is this the right file?", str(path)),))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        place = f"{path}:{line}"
        raise Invalid((Finding("", "is not UTF-8", "save it as UTF-8", place),)) from error


def _lines(path: Path, text: str) -> tuple[dict[str, int], list[Finding]]:
    """Return the line of every key by its dotted path, and the keys that are written twice."""
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        message = f"is not YAML: {error.problem}"
        raise Invalid((Finding("", message, "correct this line", place),)) from error
    except YAMLError as error:
        message = f"is not YAML: {' '.join(str(error).split())}"
        raise Invalid((Finding("", message, "correct it", str(path)),)) from error
    lines: dict[str, int] = {}
    twice: list[Finding] = []
    _walk(path, root, "", lines, twice)
    return lines, twice


def _walk(
    path: Path, node: Node | None, where: str, lines: dict[str, int], twice: list[Finding]
) -> None:
    if not isinstance(node, MappingNode):
        return
    for key, value in node.value:
        name = str(key.value) if isinstance(key, ScalarNode) else "?"
        inner = f"{where}.{name}" if where else name
        line = key.start_mark.line + 1
        if inner in lines:
            message = f"is written again (first on line {lines[inner]})"
            twice.append(Finding(inner, message, "remove one of the two", f"{path}:{line}"))
        lines.setdefault(inner, line)
        _walk(path, value, inner, lines, twice)


def _placed(path: Path, lines: Mapping[str, int], findings: Iterable[Finding]) -> Iterable[Finding]:
    for finding in findings:
        place = f"{path}:{_nearest(lines, finding.path)}"
        yield replace(finding, place=place, mend=finding.mend or _mend(finding))


def _nearest(lines: Mapping[str, int], where: str) -> int:
    while where and where not in lines:
        where = where.rpartition(".")[0]
    return lines.get(where, 1)


def _mend(finding: Finding) -> str:
    if "is missing" in finding.message:
        return "write it: a policy is complete, and `off` switches a pattern off"
    if "is not known" in finding.message:
        return "rename it, or remove it"
    return "correct the value; docs/patterns/ says what each setting takes"


def _off_is_null(node: object) -> object:
    """YAML 1.2 reads ``off`` as a word: in a policy it means that there is none."""
    if isinstance(node, dict):
        return {key: _off_is_null(value) for key, value in node.items()}
    return None if node == "off" else node
