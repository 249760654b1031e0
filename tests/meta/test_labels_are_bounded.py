"""Every label of every metric takes its values from a closed list: docs/observability.md says how many at most."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML

from aguante.collect.relay import Relay
from services.kit.failures.problem import STATUS_OF, Mechanism
from services.kit.telemetry.events import BreakerState
from services.kit.telemetry.metrics import Metrics
from services.reservations.domain import State, Undo
from services.reservations.saga_metrics import add_saga_metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
SERVICES = ("gateway", "reservations", "inventory", "payments", "notifications")
STATEMENTS = ("fetchrow", "fetch", "write", "_observed")


def bounds() -> dict[str, int]:
    """Label -> at most, as the page has it."""
    section = PAGE.split("## Labels and their bounds\n")[1]
    rows = re.findall(r"^\| (`.+?`) \| (\d+) \|", section, re.MULTILINE)
    return {label: int(most) for names, most in rows for label in re.findall(r"`(\w+)`", names)}


def labels_of(registry: CollectorRegistry) -> set[str]:
    collectors = list(registry._collector_to_names)
    return {label for each in collectors for label in getattr(each, "_labelnames", ())}


def test_the_page_lists_every_label_and_no_other() -> None:
    """A new label is bounded before it is used."""
    metrics = Metrics()
    add_saga_metrics(metrics)
    ours = labels_of(metrics.registry) | labels_of(Relay(None)._registry)
    assert set(bounds()) == ours


def routes() -> Iterator[tuple[str, str]]:
    """(method, template) of every service."""
    for service in SERVICES:
        for route in import_module(f"services.{service}.app").ROUTES:
            yield route.method, route.path


def summaries() -> set[str]:
    """What the repositories call their statements; each must be written out, so that none is made of data."""
    found: set[str] = set()
    for path in ROOT.glob("services/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr not in STATEMENTS or len(node.args) < 2:
                    continue
                first = node.args[0]
                if "kit" in path.parts and isinstance(first, ast.Name):
                    continue  # the kit passes on what a repository said
                assert isinstance(first, ast.Constant), f"{path}:{node.lineno}: say it in words"
                found.add(str(first.value))
    return found


def test_no_list_is_longer_than_the_page_says() -> None:
    """Each list where its owner has it; and no bound is so generous that it says nothing."""
    links = YAML(typ="safe", pure=True).load(ROOT / "proxies" / "links.yaml")["links"]
    statuses = {200, 201, 204, 408, 499, 500, 502, *STATUS_OF.values()}
    lists: dict[str, int] = {
        "http_request_method": len({method for method, _ in routes()} | {"_OTHER"}),
        "http_route": len({path for _, path in routes()} | {""}),
        "http_response_status_code": len(statuses) + 1,
        "error_type": len(Mechanism) + 1,
        "link": sum(link["kind"] != "otlp" for link in links),
        "state": len(BreakerState) + len(("idle", "used")),
        "from_state": len(BreakerState) + len(State),
        "to_state": len(BreakerState) + len(State),
        "step": len(Undo),
        "db_query_summary": len(summaries()),
        "reason": len(("queue_full", "export_failed")),
        "to": len(("stream", "collector")),
    }
    said = bounds()
    assert lists.keys() == said.keys()
    assert {k: n for k, n in lists.items() if not said[k] * 0.6 <= n <= said[k]} == {}
