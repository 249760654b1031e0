"""Reads a YAML 1.2 file as plain data with the line of every key, and reports syntax faults.

``compose`` of ruamel.yaml returns nodes with line marks and constructs no values. Values are constructed here, from
the JSON-like part of YAML's core schema only, so that a tag in a file cannot construct any other object.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from aguante.core.findings import FilePath, Finding, Problem, shortened, shown
from aguante.core.input_files import NotReadableError, read_input, shown_name

MAX_BYTES = 1_000_000
MAX_NODES = 10_000
"""Aliases can expand a small file without end; an experiment has some hundred nodes."""
MAX_DEPTH = 20
MAX_DIGITS = 40
"""Of a whole number: far more than any limit here needs, and far fewer than overflow a float."""

_CORE = "tag:yaml.org,2002:"
_A_NUMBER = f"a number of at most {MAX_DIGITS} digits"
_SPECIAL_FLOATS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}


@dataclass(frozen=True)
class Document:
    """One file: its data (dicts, lists, scalars), the lines of its keys, and its faults so far.

    ``data`` is None where the file could not be read as a whole; the findings say why.
    """

    file: Path
    data: object
    lines: dict[FilePath, int]
    findings: tuple[Finding, ...] = ()
    raw: bytes = b""
    """The file as it was read, byte for byte."""
    sets: Mapping[FilePath, str] = field(default_factory=dict)
    """Path -> the ``--set`` option, as typed, that set a value there."""

    def line(self, path: FilePath) -> int:
        """The line of the deepest part of ``path`` that is in the file; 1 for an empty document."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def locate(self, problem: Problem) -> Finding:
        """The problem with its file and line, or with the ``--set`` option that set the value."""
        for path, text in self.sets.items():
            if problem.path[: len(path)] == path:
                return problem.located(Path(f"--set {text}"), 0)
        path = problem.path if problem.at_key else problem.path[:-1]
        return problem.located(self.file, self.line(path))


def read_document(file: Path) -> Document:
    """Read a YAML file. Never raises: every fault is a finding of the document.

    Args:
        file: path as the user gave it, also a pipe, or ``-`` for standard input; messages repeat it.
    """
    try:
        raw = read_input(file, MAX_BYTES + 1)
    except NotReadableError as error:
        return _failed(file, 0, error.found, error.expected, error.fix)
    file = shown_name(file)
    if len(raw) > MAX_BYTES:
        expected = f"at most {MAX_BYTES} bytes"
        return _failed(file, 0, "a larger file", expected, "is this the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{raw[error.start]:02x}"
        return _failed(file, line, found, "UTF-8 text", "save the file as UTF-8")
    return replace(_parse(file, text), raw=raw)


def _failed(file: Path, line: int, found: str, expected: str, fix: str) -> Document:
    return Document(file, None, {}, (Finding(str(file), line, "document", found, expected, fix),))


def _parse(file: Path, text: str) -> Document:
    for number, version in _other_versions(text):
        found, fix = f"%YAML {version}", "remove the line: YAML 1.2 is what is read"
        return _failed(file, number, found, "YAML 1.2", fix)
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False  # YAML 1.2 allows an anchor to be set again
        node = yaml.compose(text)
    except RecursionError:
        return _failed(file, 1, "endless nesting", f"at most {MAX_DEPTH} levels", "write it flat")
    except MarkedYAMLError as error:
        return _syntax(file, error, text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"the control character #x{ord(text[error.position]):02x}"
        return _failed(file, line, found, "printable text", "remove the character")
    except (YAMLError, AssertionError) as error:  # ruamel asserts that a version is 1.1 or 1.2
        found = f"a syntax error ({shortened(str(error).splitlines()[0])})"
        return _failed(file, 1, found, "YAML 1.2", "correct the syntax")
    if node is None:
        return _failed(file, 1, "an empty file", "a mapping", "write key: value pairs")
    if not isinstance(node, MappingNode):
        kind = "a list" if isinstance(node, SequenceNode) else f"the text {node.value!r}"
        return _failed(file, 1, kind, "a mapping", "write key: value pairs")
    reader = _Reader(file)
    data = reader.value(node, ())
    whole = data if not reader.endless else None
    return Document(file, whole, reader.lines, tuple(dict.fromkeys(reader.findings)))


def _other_versions(text: str) -> Iterator[tuple[int, str]]:
    """(line, version) of each directive for another version of YAML, in which 1:30 would be a number."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words and words[0] == "%YAML" and words[1:2] != ["1.2"]:
            yield number, shortened(" ".join(words[1:]))
        if words and not line.startswith(("%", "#")):
            return  # directives come before everything else


def _syntax(file: Path, error: MarkedYAMLError, text: str) -> Document:
    mark, lines = error.problem_mark or error.context_mark, text.splitlines()
    line = min(mark.line + 1, len(lines)) if mark else 1
    problem = str(error.problem or "a syntax error").rstrip(":")
    if "'\\t'" in problem:
        return _failed(file, line, "a tab", "spaces", "indent with spaces only")
    if "another document" in problem:
        fix = "remove the line ---, or split the file in two"
        return _failed(file, line, "a second document", "one document", fix)
    context = f" {error.context}" if error.context else ""
    found = f"a syntax error ({problem}{context})"
    fix = "correct this line or the one before"
    if re.search(r"[^\"'\w-]\$\{", lines[line - 1]):
        fix = 'inside { } and [ ] a variable is put in quotes, e.g. "${name}"'
    return _failed(file, line, found, "YAML 1.2", fix)


@dataclass
class _Reader:
    """Constructs the values of nodes, and records their lines and faults."""

    file: Path
    lines: dict[FilePath, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    nodes: int = 0
    endless: bool = False
    """Values were left out, so the data are incomplete and must not be checked."""

    def value(self, node: Node, path: FilePath) -> object:
        self.lines.setdefault(path, node.start_mark.line + 1)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.endless = True
            if self.nodes == MAX_NODES + 1:
                fix = "write the values out instead of using aliases"
                self._fault(node, path, "too many values", f"at most {MAX_NODES}", fix)
            return None
        if len(path) > MAX_DEPTH:
            self.endless = True
            self._fault(node, (), "endless nesting", f"at most {MAX_DEPTH} levels", "write it flat")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, at)) for at, item in enumerate(node.value)]
        return self._scalar(node, path) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, path: FilePath) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            if key is None or key_node.tag != f"{_CORE}str":
                found = f"the key {key}" if key is not None else "a key that is not text"
                self._fault(key_node, path, found, "a key of plain text", "name it, or quote it")
                continue
            inner = (*path, key)
            if key in result:
                first = self.lines[inner]
                found = f"{key} again (first on line {first})"
                self._fault(key_node, inner, found, "each key once", "remove one of the two")
                continue
            self.lines[inner] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, inner)
        return result

    def _scalar(self, node: ScalarNode, path: FilePath) -> object:
        make = _SCALARS.get(str(node.tag).removeprefix(_CORE))
        if make is None:
            fix = "remove the tag"
            self._fault(node, path, f"the tag {node.tag}", "plain text or a number", fix)
            return None
        try:
            return make(node.value)
        except ValueError:
            fix = "write a plain number; if it is text, put it in quotes"
            self._fault(node, path, shown(node.value), _A_NUMBER, fix)
            return None

    def _fault(self, node: Node, path: FilePath, found: str, expected: str, fix: str) -> None:
        problem = Problem(path, found, expected, fix)
        self.findings.append(problem.located(self.file, node.start_mark.line + 1))


def plain_value(text: str) -> object:
    """Text as a plain YAML scalar: a number, true or false where it reads as one, else the text.

    The rules are those of YAML 1.2's core schema, as for a file. ``null`` and numbers of more than MAX_DIGITS
    digits stay text.
    """
    found = (kind for kind, pattern in _PLAIN if pattern.fullmatch(text))
    try:
        return _SCALARS[next(found, "str")](text)
    except ValueError:
        return text


def _int(text: str) -> int:
    digits = text.replace("_", "")
    if len(digits) > MAX_DIGITS:
        raise ValueError(_A_NUMBER)
    if re.fullmatch(r"[-+]?0[xo][0-9a-fA-F]+", digits):
        return int(digits, 0)
    return int(digits)


def _float(text: str) -> float:
    return float(_SPECIAL_FLOATS.get(text.lower(), text.replace("_", "")))


_SCALARS: dict[str, Callable[[str], object]] = {
    "str": str,
    "int": _int,
    "float": _float,
    "bool": lambda text: text.lower() == "true",
    "null": lambda _: None,
    "timestamp": str,
}
"""A date stays text: no key takes a date."""

_PLAIN = (
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?[0-9]+")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")),
)
"""Source: YAML 1.2.2, section 10.3.2."""
