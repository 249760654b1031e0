"""Faults of a file, reported so that they can be fixed without reading code: what, where, found, expected, fix."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

MAX_NAMES_SHOWN = 12
MAX_SHOWN = 400
"""Characters of each part of a message: room for any list of names, but not for a whole file in one value."""

FilePath = tuple[str | int, ...]
"""Keys and list indexes that lead to a value of a document: ``("faults", 0, "id")``."""


@dataclass(frozen=True, order=True)
class Finding:
    """One fault of one file. ``line`` counts from 1; 0 means that the file could not be read at all."""

    file: str
    line: int
    where: str
    """Path inside the document, e.g. ``faults[0].toxiproxy.link``; ``document`` for the whole file."""
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        """``file:line: where: found ..., expected ...; fix: ...``."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = (self.where, self.found, self.expected, self.fix)
        return f"{place}: {_sentence(*map(_legible, parts))}"


def _sentence(where: str, found: str, expected: str, fix: str) -> str:
    return f"{where}: found {found}, expected {expected}; fix: {fix}"


def _legible(text: str) -> str:
    """Part of a message on one line of a terminal, whatever characters the file contains."""
    plain = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return plain if len(plain) <= MAX_SHOWN else f"{plain[: MAX_SHOWN - 3]}..."


class InvalidFile(Exception):  # noqa: N818 - it names what is wrong with the file, not a failure of ours
    """A file that must not be used: exit code 3. Carries every fault of the file."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(findings))
        super().__init__("\n".join(str(finding) for finding in self.findings))


@dataclass(frozen=True)
class Problem:
    """A fault whose line is not known yet: ``path`` leads to it from the top of the document."""

    path: FilePath
    found: str
    expected: str
    fix: str
    at_key: bool = True
    """Report the line of the key itself; False: the line of the mapping that should contain it."""
    unknown_key: bool = False
    """The key itself is the fault; faults of its value are not reported."""
    meant: str = ""
    """The key that was probably meant: it is not reported as missing."""

    def __str__(self) -> str:
        """``where: found ..., expected ...; fix: ...``."""
        return _sentence(self.where, self.found, self.expected, self.fix)

    @property
    def where(self) -> str:
        """The path as text; ``document`` for the whole file."""
        return dotted(self.path) or "document"

    def located(self, file: Path, line: int) -> Finding:
        """The same fault with its file and line."""
        return Finding(str(file), line, self.where, self.found, self.expected, self.fix)


def dotted(path: FilePath) -> str:
    """``("faults", 0, "id")`` as ``faults[0].id``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def shown(value: object) -> str:
    """A value as YAML would write it, shortened to less than a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"a mapping with {len(value)} keys" if len(value) != 1 else "a mapping with 1 key"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return shortened(f"{value!r}")


def shortened(text: str) -> str:
    """A text for a message: at most 60 characters of it."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def one_of(names: Iterable[str]) -> str:
    """A closed list for a message: at most 12 names, then how many more."""
    known = list(names)
    if not known:
        return "nothing (there are none)"
    more = len(known) - MAX_NAMES_SHOWN
    listed = ", ".join(known[:MAX_NAMES_SHOWN])
    return f"one of {listed}" + (f" and {more} more" if more > 0 else "")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, or None (Ratcliff/Obershelp ratio of at least 0.6)."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """The fix for a wrong name: the nearest known one, else ``otherwise``."""
    near = nearest(name, known)
    return f"did you mean {near}?" if near else otherwise


def unknown_name(
    path: FilePath, value: object, known: Iterable[str], otherwise: str
) -> Iterator[Problem]:
    """The problem that a text is none of the known names; ``otherwise`` is the fix where none is near."""
    names = tuple(known)
    if isinstance(value, str) and value not in names:
        yield Problem(path, shortened(value), one_of(names), did_you_mean(value, names, otherwise))
