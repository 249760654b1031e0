"""The page as a document."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from report_factory import held_run
from report_variants import HOSTILE, deviated_run, empty_run, hostile_run, inconclusive_run

from aguante.report.run_page import render_html

RUNS = (held_run, deviated_run, inconclusive_run, empty_run, hostile_run)
EVERY_RUN = pytest.mark.parametrize("make", RUNS, ids=lambda make: make.__name__)
VOID = {"meta", "link", "br", "input"}
LEAF = {"path", "line", "rect"}


class Document(HTMLParser):
    """Elements with their attributes and text, and whether tags are balanced."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.open, self.unbalanced = [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append({"tag": tag, "attrs": dict(attrs), "text": ""})
        if tag not in VOID:
            self.open.append((tag, self.elements[-1]))

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, "attrs": dict(attrs), "text": ""})

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.unbalanced.append((tag, self.getpos()))
        elif self.open:
            self.open.pop()

    def handle_data(self, data):
        for _, element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]


@pytest.fixture(scope="module")
def documents():
    """Each kind of run rendered once."""
    return {make: Document(render_html(*make())) for make in RUNS}


@EVERY_RUN
def test_the_document_is_balanced(make, documents):
    """Every element is closed in its place, whatever the texts hold."""
    assert documents[make].unbalanced == []
    assert documents[make].open == []


@EVERY_RUN
def test_only_our_own_script_and_style_are_there(make, documents):
    """One script, one style sheet, no handlers, no inline styles."""
    document = documents[make]
    assert len(document.all("script")) == len(document.all("style")) == 1
    names = {name for element in document.elements for name in element["attrs"]}
    assert not {name for name in names if name.startswith("on") or name == "style"}


@EVERY_RUN
def test_the_policy_names_exactly_what_is_there(make, documents):
    """The Content-Security-Policy admits this style sheet and this script by hash, and no network."""
    document = documents[make]
    policy = next(m["attrs"]["content"] for m in document.all("meta") if "http-equiv" in m["attrs"])
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        digest = hashlib.sha256(document.all(tag)[0]["text"].encode()).digest()
        assert f"{tag}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy


@EVERY_RUN
def test_the_page_loads_nothing(make, documents):
    """No address of anything outside: links lead into the page, pictures are inline."""
    elements = documents[make].elements
    targets = [e["attrs"][n] for e in elements for n in ("src", "href") if n in e["attrs"]]
    assert targets
    assert all(target.startswith(("#", "data:image/svg+xml")) for target in targets)


@EVERY_RUN
def test_headings_descend_one_step_at_a_time(make, documents):
    """One h1; no level is left out on the way down."""
    levels = [
        int(e["tag"][1]) for e in documents[make].elements if re.fullmatch("h[1-6]", e["tag"])
    ]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@EVERY_RUN
def test_tables_can_be_heard(make, documents):
    """Every table has a caption, and every header cell says what it heads."""
    document = documents[make]
    assert len(document.all("caption")) == len(document.all("table"))
    assert all("scope" in th["attrs"] for th in document.all("th"))


@EVERY_RUN
def test_ids_are_unique_and_links_lead_somewhere(make, documents):
    """Each anchor of the contents exists once."""
    elements = documents[make].elements
    ids = [e["attrs"]["id"] for e in elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids))
    named = [
        e["attrs"][n]
        for e in elements
        for n in ("aria-labelledby", "aria-describedby")
        if n in e["attrs"]
    ]
    anchors = [
        e["attrs"]["href"][1:] for e in elements if e["attrs"].get("href", "").startswith("#")
    ]
    assert set(named) | set(anchors) <= set(ids)


def test_hostile_texts_are_shown_as_they_are(documents):
    """What looks like markup in a title, reason, mechanism or span reads as text."""
    document = documents[hostile_run]
    shown = " ".join(document.all("body")[0]["text"].split())
    attack = " ".join(HOSTILE.replace("\x07", "\ufffd").split())
    assert shown.count(attack) >= 12
    assert document.all("h1")[0]["text"].split() == attack.split()


@pytest.mark.parametrize(
    ("make", "word"), [(held_run, "held"), (deviated_run, "deviated"), (inconclusive_run, "inconclusive")]
)  # fmt: skip
def test_the_verdict_is_told_by_word_sign_and_colour(make, word, documents):
    """The banner holds the word, a sign of its own shape, and the class that colours it."""
    banner = next(e for e in documents[make].elements if "data-verdict" in e["attrs"])
    assert banner["attrs"]["class"].split() == ["banner", word]
    assert word in banner["text"]
    signs = {
        make: next(e["attrs"]["d"] for e in documents[make].elements if e["tag"] == "path")
        for make in (held_run, deviated_run, inconclusive_run)
    }
    assert len(set(signs.values())) == 3


def test_violations_show_their_rows(documents):
    """A violated invariant shows the rows that violate it."""
    assert "evt-3" in documents[deviated_run].all("body")[0]["text"]


def test_an_empty_run_says_what_is_missing(documents):
    """Nothing measured is said in words, and is never a pass."""
    words = documents[empty_run].all("body")[0]["text"]
    assert "stopped by the user" in words
    assert "No phase was measured." in words
    assert "No invariant was checked." in words


def test_the_chart_is_described_and_tabled(documents):
    """Beside the chart there is a description in words and a row of numbers per second."""
    document = documents[held_run]
    rows = [e for e in document.all("tr") if "data-second" in e["attrs"]]
    assert len(rows) == 30
    described = next(e for e in document.elements if e["attrs"].get("id") == "in-words")
    assert "503 breaker_open" in described["text"]


def test_the_command_is_quoted_for_a_shell(documents):
    """A path with spaces or quotes can be pasted as one argument."""
    run = held_run()
    plan = run.plan.model_copy(update={"source": "my exps/it's.yaml"})
    document = Document(render_html(plan, run.measures, run.verdict))
    said = document.all("pre")[0]["text"]
    assert said == """aguante run 'my exps/it'"'"'s.yaml' --policy default --seed 7"""


def test_the_page_stays_small():
    """Far below the 1.5 MB that a CI server's artefact view takes without complaint."""
    assert len(render_html(*held_run()).encode()) < 300_000


@pytest.mark.parametrize(
    ("users", "told"),
    [
        (None, "Open loop: arrivals do not wait for responses"),
        (30, "Closed loop: 30\N{NO-BREAK SPACE}users waited"),
    ],
)
def test_the_load_says_whether_it_waited_for_answers(users, told):
    """A closed loop's report does not claim that arrivals were independent of answers."""
    plan, measures, verdict = held_run()
    load = plan.load.model_copy(update={"users": users})
    page = render_html(plan.model_copy(update={"load": load}), measures, verdict)
    assert told in page
    assert ("arrivals do not wait" in page) == (users is None)
