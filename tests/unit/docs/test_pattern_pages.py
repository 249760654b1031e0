"""The pages of docs/patterns/ cannot go stale: what they say is held against policy, code and files."""

from pathlib import Path

import pytest
from pattern_pages import FOLDER, ROOT, SECTIONS, Page, expanded, read_pages
from ruamel.yaml import YAML

from services.kit.failures.problem import Mechanism
from services.kit.telemetry.metrics import Metrics
from services.reservations.saga_metrics import add_saga_metrics

PAGES = read_pages()
INDEX = Page(FOLDER / "README.md", (FOLDER / "README.md").read_text(encoding="utf-8"))
SOURCES = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "services").rglob("*.py"))
NOT_OF_A_PATTERN = {"aguante_spans_exported_total", "aguante_spans_dropped_total"}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)


def leaves(node: object, path: str = "") -> dict[str, str]:
    """Return every setting of a policy with its value as a page shows it."""
    if isinstance(node, dict):
        found: dict[str, str] = {}
        for key, value in node.items():
            found |= leaves(value, f"{path}.{key}" if path else key)
        return found
    return {path: ", ".join(node) if isinstance(node, list) else str(node)}


DEFAULTS = leaves(YAML(typ="safe", pure=True).load(ROOT / "policies" / "default.yaml"))


def metric_names() -> set[str]:
    """Return the names under which metrics are exposed."""
    metrics = Metrics()
    add_saga_metrics(metrics)
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in metrics.registry.collect()
    }


@each_page
def test_a_page_has_its_sections_in_order(page: Page) -> None:
    """Every page is read the same way, from what it is for to an example."""
    found = [line[3:] for line in page.text.splitlines() if line.startswith("## ")]
    assert [title for title in found if title in SECTIONS] == list(SECTIONS)
    assert len(page.text.splitlines()[2]) > 30, "the third line says what the pattern does"


@each_page
def test_a_setting_is_there_and_has_the_value_that_the_page_says(page: Page) -> None:
    """Settings and defaults are those of policies/default.yaml, and each says why."""
    wrong = {path: told for path, told in page.settings().items() if DEFAULTS.get(path) != told}
    assert wrong == {}
    assert all(len(row) == 3 and row[2] for row in page.rows("Settings"))


def test_every_setting_of_a_policy_is_explained_on_exactly_one_page() -> None:
    """None is left out, and none has two explanations."""
    told = [path for page in PAGES for path in page.settings()]
    assert sorted(told) == sorted(set(DEFAULTS) - {"name"})


@each_page
def test_a_signal_is_one_that_the_services_emit(page: Page) -> None:
    """Metrics are in the registry; span names, events and attributes are written in the services' code."""
    for kind, name in page.signals():
        if kind == "metric":
            assert name in metric_names()
        else:
            assert kind in ("span", "span event", "span attribute")
            assert f'"{name}"' in SOURCES, f"no service emits {name}"


def test_every_metric_of_a_pattern_is_on_a_page() -> None:
    """A pattern's metric that no page names would be one that nobody looks at."""
    told = {name for page in PAGES for kind, name in page.signals() if kind == "metric"}
    ours = {name for name in metric_names() if name.startswith("aguante_")}
    assert ours - told == NOT_OF_A_PATTERN


@each_page
def test_a_mechanism_in_the_telemetry_is_in_the_closed_list(page: Page) -> None:
    """What a reader may search for by `error.type` exists: every page's client reads one, or 200."""
    words = {word.strip("`.,:;()") for word in page.section("Telemetry").split() if "`" in word}
    known = {mechanism.value for mechanism in Mechanism}
    looks = {word for word in words if "_" in word and word.islower() and "." not in word}
    other = metric_names() | {"error_type", "from_state", "to_state", "refund_due"}
    assert looks - known - other == set()


@each_page
def test_a_pages_examples_run(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows is what the code does; run from the project's folder."""
    monkeypatch.chdir(ROOT)
    examples = page.examples()
    assert examples
    for code in examples:
        assert "assert " in code, "an example that claims nothing proves nothing"
        exec(compile(code, str(page.path), "exec"), {"__name__": "example"})  # noqa: S102 - our own page


@pytest.mark.parametrize("page", [*PAGES, INDEX], ids=lambda page: page.path.stem)
def test_links_lead_somewhere(page: Page) -> None:
    """Every link to a file is to one that is there."""
    broken = [link for link in page.links() if not (page.path.parent / link).exists()]
    assert broken == []


def test_the_index_lists_every_page_and_every_policy() -> None:
    """Nothing is hidden in the folders."""
    linked = {Path(link).name for link in INDEX.links()}
    assert {page.path.name for page in PAGES} <= linked
    policies = {path.name for path in (ROOT / "policies").glob("*.yaml")}
    assert policies <= linked


def test_each_policy_and_its_page_name_each_other() -> None:
    """From a policy's header to the page, and from the page's `Without it` back to the policy."""
    pages = {page.path: page for page in PAGES}
    for policy in sorted((ROOT / "policies").glob("*.yaml")):
        if policy.stem == "default":
            continue
        header = policy.read_text(encoding="utf-8").partition("\nname:")[0]
        page = pages[ROOT / header.partition("# The pattern: ")[2].strip()]
        assert f"policies/{policy.name}" in page.section("Without it"), page.path.name


def test_braces_stand_for_several_settings() -> None:
    """As in a shell."""
    assert expanded("links.{a,b}.retry.on") == ["links.a.retry.on", "links.b.retry.on"]
    assert expanded("lock") == ["lock"]
