"""Who reads the README finds every page: each is a few links away."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def linked(page: Path) -> set[Path]:
    """The files that a page links to."""
    targets = (target for target in LINK.findall(page.read_text()) if "://" not in target)
    return {(page.parent / target).resolve() for target in targets}


def reached(start: Path) -> set[Path]:
    """The pages that a reader can come to from one."""
    found, ahead = set[Path](), {start}
    while ahead:
        page = ahead.pop()
        found.add(page)
        ahead |= {each for each in linked(page) if each.suffix == ".md"} - found
    return found


def test_every_page_is_reached_from_the_readme() -> None:
    """A page that nothing links to is read by nobody."""
    pages = {page.resolve() for page in (ROOT / "docs").rglob("*.md")}
    lost = pages - reached(ROOT / "README.md")
    assert sorted(str(page.relative_to(ROOT)) for page in lost) == []


def test_every_link_leads_to_a_file() -> None:
    """Links within the repository name what is there."""
    broken = [
        f"{page.relative_to(ROOT)} -> {target.relative_to(ROOT)}"
        for page in reached(ROOT / "README.md")
        for target in linked(page)
        if not target.exists()
    ]
    assert broken == []


def test_the_index_names_every_page() -> None:
    """One click from docs/README.md to each of its neighbours."""
    index = linked(ROOT / "docs" / "README.md")
    pages = {page.resolve() for page in (ROOT / "docs").glob("*.md")} - {ROOT / "docs/README.md"}
    assert {page.name for page in pages - index} == set()


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_link_to_a_section_leads_to_a_heading() -> None:
    """A heading that is renamed must not leave links to its old anchor."""
    broken = []
    for page in reached(ROOT / "README.md"):
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", page.read_text()):
            there = (page.parent / target).resolve() if target else page
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            if anchor not in map(slug, headings):
                broken.append(f"{page.relative_to(ROOT)} -> {target}#{anchor}")
    assert broken == []
