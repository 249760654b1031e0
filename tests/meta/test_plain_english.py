"""User-facing text avoids words that have led to unclear sentences; "How we write" in CONTRIBUTING.md says why."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EVERYWHERE = {
    r"mend(s|ed|ing)?": "fix",
    r"tell(s|ing)?|told": "report, state, show; distinguish",
    r"bites?|bitten|(fault|toxic|never|it|they|that) bit": "is observed, takes effect",
    r"felt": "observed",
    r"what one|one (learns|sees|takes|will see)": "address the reader, or name the subject",
    r"who(m)?(so)?ever": "anyone who, or name the subject",
    r"the like|be content|in hand": "say it literally",
    r"borrow(s|ed|ing|er)?": "attach, use",
    r"stray charges?": "orphaned charge",
    r"(off|left) the straight way": "left the happy path",
    r"siege|gusts?|witness(es|ed)?": "soak, toxic, observer",
    r"turn(s|ed|ing)? away": "reject",
    r"nobody to tell|is who|are who|asked of|sees to": "use the usual word order",
    r"(what )?(becomes?|became) of": "the outcome of",
    r"come(s)? (of it|about)|came about": "occur, result",
    r"heed(s|ed|ing)?": "respect, use",
    r"reckon(s|ed|ing)?|lest|thereof|whence|wherein|hitherto|afresh|for ever": "use a current word",
}
"""Pattern of whole words (any case, any white space) -> what to write instead."""
DOCUMENTS_ONLY = {
    r"play(s|ed|ing)?( again)?": "run, execute, repeat",
    r"anew": "again",
    r"stands? (there|here|below|beside)": "is",
    r"(a|per) second one": "say it literally",
}
"""Checked in documents and configuration, not in Python sources."""
EXEMPT = {
    "CONTRIBUTING.md": "its style page quotes unclear sentences",
    "aguante/cli/commands/lint.py": "accepts the old spelling of a field",
}
"""File -> why it may use these words."""
SOURCES = ("aguante", "services", "loadtests", "stress", "benchmarks", "dashboards", "offline")
DOCUMENTS = (
    *("*.md", "docs/**/*.md", "services/**/*.md", "loadtests/*.md", "examples/**/*.py"),
    *("*.yaml", "*.yml", ".pre-commit-config.yaml", "Makefile", ".ci/*"),
    *("chaos-experiments/**/*.yaml", "policies/*.yaml", "proxies/*.yaml", "loadtests/*.yaml"),
    *("dashboards/prometheus/**/*.yml", "dashboards/grafana/provisioning/**/*.yaml"),
    *("dashboards/grafana/dashboards/*.json", "examples/**/*.y*ml", "docker/**/*"),
    *("invariants/*.sql", "reports/*.sql", "aguante/report/templates/*"),
)


def compiled(words: dict[str, str]) -> re.Pattern[str]:
    """Return one pattern for all words."""
    each = "|".join(f"(?:{word})" for word in words).replace(" ", r"[\s#]+")
    return re.compile(rf"(?<![\w-])(?:{each})(?![\w-])", re.IGNORECASE)


IN_SOURCES = compiled(EVERYWHERE)
IN_DOCUMENTS = compiled(EVERYWHERE | DOCUMENTS_ONLY)


def without_code(text: str) -> str:
    """Blank out what is quoted as code, whose words are checked where they are defined; lines keep their numbers."""
    blocks = re.compile(r"^```.*?^```$|^    [^\n]*$", re.MULTILINE | re.DOTALL)
    for code in (blocks, re.compile(r"(`+)[^`]+\1"), re.compile(r"\]\([^)]*\)")):
        text = code.sub(lambda found: "\n" * found.group().count("\n"), text)
    return text


def without_markup(text: str) -> str:
    """Blank out the tags and template expressions of HTML."""
    tags = re.compile(r"\{[{%#].*?[}%#]\}|<[^>]*>", re.DOTALL)
    return tags.sub(lambda found: "\n" * found.group().count("\n"), text)


def prose(path: Path) -> str:
    """Return the text of a document without code or markup."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return without_code(text)
    return without_markup(text) if path.suffix == ".html" else re.sub(r"``?[^`\n]+``?", "", text)


def texts_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of the string literals, docstrings and comments of Python code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, re.sub(r"``?[^`\n]+``?", "", node.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def in_document(path: Path) -> list[str]:
    """Return ``line: word`` of each finding in a document."""
    text = prose(path)
    found = IN_DOCUMENTS.finditer(text)
    return [f"{text.count(chr(10), 0, each.start()) + 1}: {each.group()}" for each in found]


def in_source(path: Path) -> list[str]:
    """Return ``line: word`` of each finding in a Python source."""
    texts = texts_of(path.read_text(encoding="utf-8"))
    return [
        f"{line + text.count(chr(10), 0, each.start())}: {each.group()}"
        for line, text in texts
        for each in IN_SOURCES.finditer(text)
    ]


def named(paths: Iterator[Path]) -> list[str]:
    """Return the names of files below the root, sorted."""
    return sorted({str(path.relative_to(ROOT)) for path in paths if path.is_file()})


ALL_DOCUMENTS = named(path for pattern in DOCUMENTS for path in ROOT.glob(pattern))
ALL_SOURCES = named(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py"))
CHECKED = [each for each in ALL_DOCUMENTS if each not in EXEMPT]


@pytest.mark.parametrize("name", CHECKED)
def test_a_document_is_plain_english(name: str) -> None:
    """Documentation, configuration and templates contain no word of the list, outside code."""
    assert in_document(ROOT / name) == []


@pytest.mark.parametrize("name", [each for each in ALL_SOURCES if each not in EXEMPT])
def test_a_source_is_plain_english(name: str) -> None:
    """Messages, docstrings and comments of Python sources contain no word of the list."""
    assert in_source(ROOT / name) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("found x, expected y; mend: say y", "mend"),
        ("a fault that never\n# bit", "never\n# bit"),
        ("What one takes home", "What one"),
        ("Whoever doubts it", "Whoever"),
        ("2 stray charges", "stray charges"),
    ],
)
def test_the_list_finds_a_word_in_any_case_and_across_lines(text: str, word: str) -> None:
    """Each example is a sentence that the project once contained."""
    found = IN_SOURCES.search(text)
    assert found is not None
    assert found.group() == word


@pytest.mark.parametrize("text", ["amend", "flips a bit", "no_stray_charge", "64-bit", "habits"])
def test_the_list_ignores_other_words(text: str) -> None:
    """Words that only contain one of the list, and identifiers, are fine."""
    assert IN_DOCUMENTS.search(text) is None
