"""Reads the pages of docs/patterns/: their sections, tables, links and examples."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "patterns"
SECTIONS = (
    "When to use it",
    "Settings",
    "Telemetry",
    "Without it",
    "Anti-patterns",
    "Example",
)


@dataclass(frozen=True)
class Page:
    """One page; ``text`` is all of it."""

    path: Path
    text: str

    def section(self, title: str) -> str:
        """Return the text below one heading, up to the next."""
        return self.text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]

    def rows(self, title: str) -> list[list[str]]:
        """Return the cells of the first table in a section, without its head."""
        lines = [line for line in self.section(title).splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]

    def settings(self) -> dict[str, str]:
        """Return each setting of the page with its default as the page says it."""
        return {
            path: row[1] for row in self.rows("Settings") for path in expanded(row[0].strip("`"))
        }

    def signals(self) -> list[tuple[str, str]]:
        """Return (kind, name) of each line of telemetry."""
        return [(row[0], row[1].strip("`")) for row in self.rows("Telemetry")]

    def examples(self) -> list[str]:
        """Return the fenced blocks of Python."""
        return re.findall(r"^```python\n(.*?)^```$", self.text, re.M | re.S)

    def links(self) -> list[str]:
        """Return the targets of all links to files."""
        found = re.findall(r"\]\(([^)#\s]+)", self.text)
        return [target for target in found if "://" not in target]


def expanded(path: str) -> list[str]:
    """``links.{a,b}.x`` as ``links.a.x`` and ``links.b.x``, as a shell would."""
    before, brace, rest = path.partition("{")
    if not brace:
        return [path]
    names, _, after = rest.partition("}")
    return [f"{before}{name}{after}" for name in names.split(",")]


def read_pages() -> list[Page]:
    """Return every page but the index."""
    paths = sorted(FOLDER.glob("*.md"))
    return [Page(p, p.read_text(encoding="utf-8")) for p in paths if p.name != "README.md"]
