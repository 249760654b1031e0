"""Reads a policy file and reports every fault of its YAML, its schema and its rules, each with file, line and fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from services.kit.policy.findings import Finding, Invalid, Strict, convert

FILE_BYTES_MAX = 100_000

P = TypeVar("P", bound=Strict)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain data, and the line of each key by its dotted path."""

    file: Path
    data: object
    lines: Mapping[str, int]

    def line(self, where: str) -> int:
        """Return the line of the deepest part of the dotted path `where` that is written; 1 if none is."""
        while where and where not in self.lines:
            where = where.rpartition(".")[0]
        return self.lines.get(where, 1)

    def located(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings with file, line and a fix, in the order of the lines."""
        located = (
            replace(f, file=str(self.file), line=self.line(f.where), fix=f.fix or _fix(f))
            for f in findings
        )
        return tuple(sorted(located, key=lambda finding: finding.line))


def load(
    path: Path, schema: type[P], rules: Callable[[P], Iterable[Finding]]
) -> tuple[P, Document]:
    """Read a policy; `rules` are checked once the file fits the schema.

    Raises `Invalid` with every fault, `OSError` when the file cannot be read.
    """
    document = _read(path)
    try:
        policy = convert(_off_is_null(document.data), schema)
    except Invalid as invalid:
        raise Invalid(document.located(invalid.findings)) from None
    if broken := document.located(rules(policy)):
        raise Invalid(broken)
    return policy, document


def _read(path: Path) -> Document:
    text = _text(path)
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"is not YAML: {error.problem}"
        raise _invalid(path, message, "correct this line", mark.line + 1 if mark else 0) from error
    except YAMLError as error:
        message = f"is not YAML: {' '.join(str(error).split())}"
        raise _invalid(path, message, "correct the file") from error
    lines: dict[str, int] = {}
    repeated: list[Finding] = []
    for where, line in _keys(root):
        if where in lines:
            message = f"is written again (first on line {lines[where]})"
            repeated.append(Finding(where, message, "remove one of the two", str(path), line))
        lines.setdefault(where, line)
    if repeated:
        raise Invalid(tuple(repeated))
    data: object = None if root is None else yaml.constructor.construct_document(root)
    return Document(path, data, lines)


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if len(raw) > FILE_BYTES_MAX:
        message = f"has {len(raw)} bytes, more than {FILE_BYTES_MAX}"
        raise _invalid(path, message, "check that this is the right file")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _invalid(path, "is not UTF-8", "save it as UTF-8", line) from error


def _invalid(path: Path, message: str, fix: str, line: int = 0) -> Invalid:
    return Invalid((Finding("", message, fix, str(path), line),))


def _keys(node: Node | None, path: str = "") -> Iterator[tuple[str, int]]:
    """Yield the dotted path and the line of every key."""
    if not isinstance(node, MappingNode):
        return
    for key, value in node.value:
        name = str(key.value) if isinstance(key, ScalarNode) else "?"
        where = f"{path}.{name}" if path else name
        yield where, key.start_mark.line + 1
        yield from _keys(value, where)


def _fix(finding: Finding) -> str:
    if "is missing" in finding.message:
        return "write it: a policy is complete, and `off` switches a pattern off"
    if "is not known" in finding.message:
        return "rename it, or remove it"
    return "correct the value; docs/patterns/ says what each setting takes"


def _off_is_null(node: object) -> object:
    """YAML 1.2 reads `off` as a word; in a policy it means that the pattern is not there."""
    if isinstance(node, dict):
        return {key: _off_is_null(value) for key, value in node.items()}
    return None if node == "off" else node
