"""What is wrong with a file, said so that it can be fixed without reading code."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

MAX_NAMES_SHOWN = 12
MAX_SHOWN = 400
"""Characters of each part of a message. Room for every list of names, not for a whole file in one value."""


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
        where, found, expected, fix = map(
            _legible, (self.where, self.found, self.expected, self.fix)
        )
        return f"{place}: {where}: found {found}, expected {expected}; fix: {fix}"


def _legible(text: str) -> str:
    """Part of a message on one line of a terminal, whatever the file had in it."""
    plain = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return plain if len(plain) <= MAX_SHOWN else f"{plain[: MAX_SHOWN - 3]}..."


class InvalidExperiment(Exception):  # noqa: N818 - it names the thing that is wrong, not a failure of ours
    """An experiment file that must not be run: exit code 3. Carries every fault of the file."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(findings))
        super().__init__("\n".join(str(finding) for finding in self.findings))


@dataclass(frozen=True)
class Problem:
    """A fault before it is known where in the file it stands: ``path`` leads to it from the top."""

    path: tuple[str | int, ...]
    found: str
    expected: str
    fix: str
    at_key: bool = True
    """Point at the key's own line; False: at the line of the mapping that should hold it."""
    unknown_key: bool = False
    """The key itself is the fault; what it holds is then of no interest."""
    meant: str = ""
    """The key that this wrong one was probably meant to be: then that one is not missing as well."""

    def located(self, file: Path, line: int) -> Finding:
        """The finding that a reader sees."""
        where = dotted(self.path) or "document"
        return Finding(str(file), line, where, self.found, self.expected, self.fix)


def dotted(path: tuple[str | int, ...]) -> str:
    """``("faults", 0, "id")`` as ``faults[0].id``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def shown(value: object) -> str:
    """A value as it would be written in YAML, shortened: never more than a line."""
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
    """The hint for a wrong name: the nearest known one, else ``otherwise``."""
    near = nearest(name, known)
    return f"did you mean {near}?" if near else otherwise
