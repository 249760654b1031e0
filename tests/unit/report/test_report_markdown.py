"""The pull-request comment, read by a Markdown parser."""

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from report_factory import held_run
from report_variants import deviated_run, empty_run, hostile_run, inconclusive_run

from aguante.report.markdown import escape, render_markdown

GFM = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Tags(HTMLParser):
    """Which elements, and how many cells each table row has."""

    def __init__(self, html):
        super().__init__()
        self.names, self.rows = set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        if tag == "table":
            self.rows.append([])
        if tag == "tr":
            self.rows[-1].append(0)
        if tag in ("td", "th"):
            self.rows[-1][-1] += 1


@pytest.mark.parametrize(
    "make",
    [held_run, deviated_run, inconclusive_run, empty_run, hostile_run],
    ids=lambda make: make.__name__,
)
def test_tables_are_tables(make):
    """Every row of each table has as many cells as its head, whatever the texts hold."""
    source = render_markdown(*make())
    tags = Tags(GFM.render(source))
    heads = sum(bool(re.match(r"\| -", line)) for line in source.splitlines())
    assert len(tags.rows) == heads
    assert heads > 0
    # A Markdown parser pads short rows and cuts long ones, so cells are counted in the source as well.
    for block in re.findall(r"(?:^\|.*\n?)+", source, flags=re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1


def test_hostile_texts_make_no_markup():
    """Nothing but our own headings, lists, tables and the one code span comes out."""
    html = GFM.render(render_markdown(*hostile_run()))
    ours = {"h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code"}
    assert Tags(html).names <= ours


@pytest.mark.parametrize(
    "words",
    ["*a*", "_a_ b_c", "`a`", "[a](b)", "<b>a</b>", "a | b", "# a", "> a", "- a", "1. a", "+ a", "---", "1)", "100.0 %",
     "~~a~~", "&amp;", r"\*a*"],
)  # fmt: skip
def test_escaped_words_read_as_written(words):
    """A Markdown reader sees the words themselves, as one paragraph of text."""
    html = GFM.render(escape(words))
    plain = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert html == f"<p>{plain}</p>\n"


@pytest.mark.parametrize("words", ["https://example.org", "www.example.org", "@somebody"])
def test_no_links_and_no_mentions(words):
    """GitHub makes links of addresses and calls people by name: not from a report."""
    assert escape(words) != words
    assert not re.search(r"https?://|www\.|@\w", escape(words))


def test_the_comment_tells_verdict_and_numbers():
    """Verdict, headline, the unmet expectation's reason, and rates by phase are there."""
    words = render_markdown(*deviated_run())
    assert words.startswith("## \N{CROSS MARK} DEVIATED: ")
    assert "the gateway stayed full" in words
    row = next(line for line in words.splitlines() if line.startswith("| 503 breaker"))
    assert "reservations-payments" in row
    assert "54.9" in row
    assert len(words) < 10_000


def test_unknown_is_not_shown_as_a_pass():
    """An expectation that could not be judged carries neither a check mark nor a cross."""
    line = next(
        row for row in render_markdown(*inconclusive_run()).splitlines() if "unknown" in row
    )
    assert "\N{WHITE HEAVY CHECK MARK}" not in line
    assert "\N{CROSS MARK}" not in line
