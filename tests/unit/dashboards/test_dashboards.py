import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from aguante.collect import phase_publisher as announce
from dashboards import build, frame, panels, queries
from services.kit.telemetry import metrics
from services.kit.telemetry.metrics import Metrics
from services.reservations import saga_metrics

GRAFANA = Path(__file__).parents[3] / "dashboards" / "grafana"
OURS = {announce.PHASE, announce.FAULT_ACTIVE}
"""Published by the runner."""
OF_PROMETHEUS = {
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_series_added",
}
OF_TOXIPROXY = {"toxiproxy_proxy_received_bytes_total", "go_goroutines"}
LABELS_OF_TARGETS = {"job", "instance", "service"}
LABELS_OF_RUNNER = {"run_id", "experiment", "phase", "fault", "link", "kind"}
LABELS_OF_TOXIPROXY = {"proxy", "direction"}
MADE_HERE = {"le", "answer", "__name__"}
"""A histogram's own, and those that a query makes."""


def board(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(build.render(name))
    return loaded


def panels_of(name: str) -> list[dict[str, Any]]:
    return [panel for panel in board(name)["panels"] if panel["type"] != "row"]


def every_panel() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in build.BOARDS:
        for panel in panels_of(name):
            yield name, panel


def expressions() -> list[str]:
    return [target["expr"] for _, panel in every_panel() for target in panel["targets"]]


def test_the_committed_dashboards_are_current() -> None:
    """Whoever changes a dashboard writes its JSON anew: python -m dashboards.build."""
    assert build.stale() == []


def test_a_dashboard_that_was_changed_or_left_behind_is_stale(tmp_path: Path) -> None:
    """The check sees a changed file, a missing one, and one that nothing writes any more."""
    for name in list(build.BOARDS)[1:]:
        (tmp_path / f"{name}.json").write_text(build.render(name), encoding="utf-8")
    (tmp_path / "links.json").write_text("{}", encoding="utf-8")
    (tmp_path / "old.json").write_text("{}", encoding="utf-8")
    assert build.stale(tmp_path) == ["experiment.json", "links.json", "old.json"]


def test_every_panel_says_how_to_read_it() -> None:
    """A title, a description, a unit and thresholds: a number without them is a riddle."""
    for name, panel in every_panel():
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"], name
        assert len(panel["description"]) > 20, (name, panel["title"])
        assert defaults["unit"], (name, panel["title"])
        assert defaults["thresholds"]["steps"], (name, panel["title"])
        assert panel["targets"], (name, panel["title"])


def test_panels_stand_beside_each_other_within_the_grid() -> None:
    """No panel hangs over the edge or covers another."""
    for name in build.BOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in board(name)["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24, (name, panel["title"])
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert not taken & cells, (name, panel["title"])
            taken |= cells


def test_a_dashboard_keeps_its_address() -> None:
    """The uids are in links and bookmarks."""
    assert {name: board(name)["uid"] for name in build.BOARDS} == {
        name: f"aguante-{name}" for name in build.BOARDS
    }


@pytest.mark.parametrize("name", build.BOARDS)
def test_every_dashboard_draws_faults_and_leads_on(name: str) -> None:
    """Faults and phases as regions, links to Jaeger."""
    made = board(name)
    drawn = {each["name"]: each for each in made["annotations"]["list"]}
    for each, metric in (("fault", queries.FAULT_ACTIVE), ("phase", queries.PHASE)):
        target = drawn[each]["target"]
        assert target["expr"].startswith(metric)
        assert (target["refId"], target["interval"], target["range"]) == ("Anno", "1s", True)
        assert target["datasource"]["uid"] == panels.PROMETHEUS.uid
        assert not drawn[each].keys() & {"expr", "step"}, "the old form, which Grafana moves away"
    links = {each["title"]: each for each in made["links"]}
    assert "aguante.run_id%3D$run" in links["Traces of the run"]["url"]
    assert "$trace_id" in links["Trace by id"]["url"]
    assert links["Aguante"]["tags"] == [frame.TAG]


@pytest.mark.parametrize("name", build.BOARDS)
def test_every_choice_at_the_top_has_an_effect(name: str) -> None:
    """A variable that no query reads is a promise that is not kept."""
    made = board(name)
    variables = {each["name"]: each for each in made["templating"]["list"]}
    asked = [target["expr"] for panel in panels_of(name) for target in panel["targets"]]
    assert {"run", "experiment"} <= set(variables) <= {"run", "experiment", "service", "trace_id"}
    for each in variables.keys() - {"trace_id"}:
        assert (variables[each]["allValue"], variables[each]["includeAll"]) == (".*", True)
        assert any(f"${each}" in expression for expression in asked), each
    assert ("service" in variables) == any("$service" in expression for expression in asked)


UNCUT = {
    "Sagas waiting for compensation",
    *("Toxiproxy", "Goroutines of Toxiproxy", "Scraped by Prometheus", "Scrape duration"),
    *("Samples per target", "New series per scrape"),
}


def test_every_panel_is_cut_to_the_chosen_run() -> None:
    """But those about the servers that look on, run or no run, and what a run leaves to be done after its end."""
    uncut = {
        panel["title"]
        for _, panel in every_panel()
        for target in panel["targets"]
        if "$run" not in target["expr"] or "$experiment" not in target["expr"]
    }
    assert uncut == UNCUT


def test_only_metrics_that_somebody_exposes_are_asked_for() -> None:
    """A metric that was renamed must not leave an empty panel behind."""
    counters = {
        name
        for module in (metrics, saga_metrics)
        for key, name in vars(module).items()
        if key.isupper() and isinstance(name, str)
    }
    known = counters | OURS | OF_PROMETHEUS | OF_TOXIPROXY
    for expression in expressions():
        bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\b(?:by|on|group_left) ?\([^)]*\)', " ", expression)
        bare = re.sub(r"\{[^}]*\}|\$\w+|offset \w+", " ", bare)
        names = {
            re.sub(r"_(?:count|bucket)$", "", name)
            if not name.startswith("db_client_conn")
            else name
            for name in re.findall(r"\b[a-z][a-z_]*_[a-z_]+\b(?! ?\()", bare)
        }
        assert names <= known, (names - known, expression)


def test_only_labels_that_a_metric_has_are_asked_for() -> None:
    """A label that was renamed must not make a panel empty, or one line of many."""
    registered = Metrics()
    saga_metrics.add_saga_metrics(registered)
    ours = {
        label
        for collector in registered.registry._collector_to_names
        for label in collector._labelnames
    }
    known = ours | LABELS_OF_TARGETS | LABELS_OF_RUNNER | LABELS_OF_TOXIPROXY | MADE_HERE
    for expression in expressions():
        groups = re.findall(r"\b(?:by|on|group_left) ?\(([^)]*)\)", expression)
        asked = {each.strip() for group in groups for each in group.split(",")} - {""}
        asked |= set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", expression))
        assert asked <= known, (asked - known, expression)


def test_the_runners_metrics_have_the_runners_names() -> None:
    """They are repeated here, since dashboards need nothing of the runner but these two."""
    assert (queries.PHASE, queries.FAULT_ACTIVE) == (announce.PHASE, announce.FAULT_ACTIVE)


def test_each_legend_names_labels_that_its_query_keeps() -> None:
    """Grafana shows nothing for a label that an aggregation has dropped."""
    for name, panel in every_panel():
        for target in panel["targets"]:
            kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            shown = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
            if kept:
                assert shown <= kept, (name, panel["title"], shown - kept)


def test_the_provisioned_datasources_are_those_that_the_panels_name() -> None:
    """Exemplars lead from the one to the other by the label that the services put on them."""
    text = (GRAFANA / "provisioning" / "datasources" / "aguante.yaml").read_text()
    prometheus, jaeger = YAML(typ="safe").load(text)["datasources"]
    assert prometheus["uid"] == panels.PROMETHEUS.uid
    assert jaeger["uid"] == panels.JAEGER.uid
    leads = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    assert [(each["name"], each["datasourceUid"]) for each in leads] == [
        ("trace_id", jaeger["uid"])
    ]


def test_exemplars_are_asked_of_buckets_alone() -> None:
    """The services put them there; a query without a bucket would ask for nothing."""
    asked = [
        target["expr"]
        for _, panel in every_panel()
        for target in panel["targets"]
        if target.get("exemplar")
    ]
    assert asked
    assert all("_bucket" in expression for expression in asked)
