"""Recording rules and alerts: unit-tested by promtool, over metrics that the services really have."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
from ruamel.yaml import YAML

from aguante.runtimes.native.prometheus_server import Target, configuration
from aguante.testbed.testbed_spec import TestbedSpec
from services.kit.telemetry import metrics

FOLDER = Path(__file__).parents[2] / "dashboards" / "prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
BOARDS = sorted((FOLDER.parent / "grafana" / "dashboards").glob("*.json"))
LIMIT_S = 60.0
OURS = {value for name, value in vars(metrics).items() if name.isupper() and isinstance(value, str)}
OF_PROMETHEUS = {"up"}
OF_A_HISTOGRAM = ("_count", "_sum", "_bucket")


@pytest.fixture(scope="module")
def promtool(observer_binaries: dict[str, Path]) -> Path:
    """Found or built."""
    return observer_binaries["promtool"]


def told(promtool: Path, *arguments: str | Path) -> str:
    """What promtool says; it must be content."""
    command = [str(promtool), *(str(each) for each in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(path: Path) -> dict[str, object]:
    loaded: dict[str, object] = YAML(typ="safe", pure=True).load(path)
    return loaded


def rules() -> Iterator[dict[str, str]]:
    for path in RULES:
        for group in read(path)["groups"]:  # type: ignore[attr-defined]
            yield from group["rules"]


def test_every_alert_fires_when_it_must_and_at_no_other_time(promtool: Path) -> None:
    """promtool plays hand-made series: an outage, a quiet shop, hardly any traffic, answers that are no failures."""
    assert "SUCCESS" in told(promtool, "test", "rules", FOLDER / "tests" / "alerts.yml")


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    """An alert that no test saw fire may be one that never can."""
    cases = read(FOLDER / "tests" / "alerts.yml")["tests"]
    fires = {
        each["alertname"]
        for case in cases  # type: ignore[attr-defined]
        for each in case.get("alert_rule_test", ())
        if each.get("exp_alerts")
    }
    assert fires == {rule["alert"] for rule in rules() if "alert" in rule}


def test_what_an_alert_sends_one_to_is_there() -> None:
    """The dashboard, the panel and the alert that its words name: a title that was changed leads nowhere."""
    boards = {
        board["title"].removeprefix("Aguante: "): {panel["title"] for panel in board["panels"]}
        for board in (json.loads(path.read_text(encoding="utf-8")) for path in BOARDS)
    }
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    sent = 0
    for rule in rules():
        words = str(rule.get("annotations", {}).get("fix", ""))  # type: ignore[attr-defined]
        for board, title in re.findall(r'dashboard (\w+), panel "(.+?)"', words):
            assert title in boards[board]
            sent += 1
        assert words.count("dashboard") == len(re.findall(r'dashboard \w+, panel "', words))
        for name in re.findall(r"\bas for (\w+)", words):
            assert name in alerts
    assert sent


def test_the_compose_stacks_configuration_is_sound(promtool: Path) -> None:
    """With the rules that it names."""
    assert "SUCCESS" in told(promtool, "check", "config", FOLDER / "prometheus.yml")


def test_natively_the_same_is_scraped_in_the_same_way(shop_spec: TestbedSpec) -> None:
    """How often, in which format, how many exemplars; and every service that the testbed has."""
    compose = read(FOLDER / "prometheus.yml")
    native = configuration([Target("services", "a", "a-1", "h:1")], [])
    assert {key: native[key] for key in ("global", "storage")} == {
        key: compose[key] for key in ("global", "storage")
    }
    services, *_ = compose["scrape_configs"]  # type: ignore[misc]
    found = {(each["names"][0], each["port"]) for each in services["dns_sd_configs"]}
    assert found == {(each.name, each.port) for each in shop_spec.services}


def metrics_of(expression: str) -> Iterator[str]:
    """The names of the metrics that an expression reads."""
    todo = [promql_parser.parse(expression)]
    while todo:
        node = todo.pop()
        if isinstance(node, promql_parser.VectorSelector):
            yield node.name
        parts = (getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector"))
        todo += [each for each in parts if each is not None]
        todo += getattr(node, "args", ())


def test_rules_read_only_metrics_that_there_are() -> None:
    """A metric that was renamed would leave an alert that can never fire."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = OURS | OF_PROMETHEUS | recorded
    for rule in rules():
        for name in metrics_of(rule["expr"]):
            plain = name
            for ending in OF_A_HISTOGRAM:
                plain = plain.removesuffix(ending)
            assert name in known or plain in known, f"{rule}: {name}"
