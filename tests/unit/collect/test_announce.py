"""Phases and faults as metrics: what is pushed when, with and without a Prometheus."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from aguante.collect.phase_publisher import PhasePublisher, encode, gauges, next_edge_s
from aguante.experiment import load_experiment
from aguante.plan.build import build_plan
from aguante.plan.plan import Plan
from aguante.run.load_and_faults import note_publishing
from aguante.run.progress import QuietProgress
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import PhasesPublished
from aguante.run_folder.run_log import read_run_log
from aguante.testbed.testbed_spec import TestbedSpec

SLOW = Path(__file__).parents[1] / "payments-slow.yaml"
EPOCH_NS = 1_700_000_000_000_000_000
Said = dict[tuple[str, ...], float]


@pytest.fixture
def plan(shop: TestbedSpec) -> Plan:
    """Phases of 2, 6, 12 and 10 s, and one fault on reservations-payments."""
    return build_plan(load_experiment(SLOW, shop), shop, run_id="r1", seed=1, source="x")


def said(body: bytes) -> tuple[Said, set[int]]:
    """Name and label values -> value; and the times of the points."""
    found, times = {}, set()
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    for metric in resource.scope_metrics[0].metrics:
        for point in metric.gauge.data_points:
            labels = {each.key: each.value.string_value for each in point.attributes}
            keys = ("phase",) if metric.name == "aguante_phase" else ("fault", "link", "kind")
            assert labels["run_id"] == "r1"
            found[metric.name, *(labels[key] for key in keys)] = point.as_double
            times.add(point.time_unix_nano)
    return found, times


@pytest.mark.parametrize(
    ("at_s", "phase"),
    [(-0.1, ""), (0, "warmup"), (2, "baseline"), (7.99, "baseline"), (8, "fault"), (30, "")],
)
def test_one_phase_is_on_at_a_time(plan: Plan, at_s: float, phase: str) -> None:
    """Each phase lasts until the next begins; before and after the run no phase is on."""
    on = [each for each in gauges(plan, at_s, frozenset()) if each.value]
    assert [each.labels["phase"] for each in on] == ([phase] if phase else [])


def test_a_fault_is_on_while_it_is_active_whatever_the_plan_says(plan: Plan) -> None:
    """Its labels name the target; every planned fault starts at 0."""
    for active, value in ((frozenset(("slow",)), 1.0), (frozenset[str](), 0.0)):
        found, times = said(encode(gauges(plan, 1.0, active), EPOCH_NS))
        assert found["aguante_fault_active", "slow", "reservations-payments", "latency"] == value
        assert times == {EPOCH_NS}


def test_the_next_edge_is_a_phases_start_or_the_runs_end(plan: Plan) -> None:
    """A phase is published when it begins, not up to a second later."""
    assert [next_edge_s(plan, at_s) for at_s in (-1, 0, 1.9, 8, 29)] == [0, 2, 2, 20, 30]
    assert next_edge_s(plan, 30) == float("inf")


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[str, list[Said]]]:
    """A server that accepts pushes as Prometheus does, and what it received."""
    received: list[Said] = []

    async def take(request: web.Request) -> web.Response:
        received.append(said(await request.read())[0])
        return web.Response()

    app = web.Application()
    app.router.add_post("/api/v1/otlp/v1/metrics", take)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/"), received


async def test_the_end_of_a_run_is_published_with_the_active_faults(
    plan: Plan, receiver: tuple[str, list[Said]]
) -> None:
    """No phase is on any more, even in a run that was stopped; a fault that could not be undone still is."""
    address, received = receiver
    async with PhasePublisher(
        plan, address, EPOCH_NS, lambda: 9.0, lambda: frozenset(("slow",))
    ) as one:
        pass
    assert one.failed == 0
    last = received[-1]
    assert {name for name, value in last.items() if value} == {
        ("aguante_fault_active", "slow", "reservations-payments", "latency")
    }


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:9"])
async def test_a_missing_prometheus_costs_at_most_a_count(plan: Plan, address: str) -> None:
    """Without a Prometheus nothing is pushed; pushes to a dead one are counted."""
    async with PhasePublisher(plan, address, EPOCH_NS, lambda: 9.0, frozenset) as one:
        pass
    assert one.accepted == 0
    assert bool(one.failed) == bool(address)


class Terminal(QuietProgress):
    """Keeps the steps."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)


@pytest.mark.parametrize(
    ("taken", "failed", "written", "said"),
    [
        (0, 0, None, []),
        (30, 0, PhasesPublished(taken=30, failed=0), []),
        (28, 2, PhasesPublished(taken=28, failed=2), ["Prometheus accepted 28 of 30 pushes"]),
    ],
)
def test_failed_pushes_are_logged_and_reported(
    plan: Plan,
    tmp_path: Path,
    taken: int,
    failed: int,
    written: PhasesPublished | None,
    said: list[str],
) -> None:
    """The run log counts pushes if there is a Prometheus; the terminal shows them only if one failed."""
    publisher = PhasePublisher(plan, "", EPOCH_NS, lambda: 9.0, frozenset)
    publisher.accepted, publisher.failed = taken, failed
    terminal, path = Terminal(), tmp_path / "events.jsonl"
    with EventLog(path) as log:
        note_publishing(log, terminal, publisher)
    assert read_run_log(path).announced == written
    assert len(terminal.said) == len(said)
    assert all(words in line for words, line in zip(said, terminal.said, strict=True))
