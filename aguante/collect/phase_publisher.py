"""Tells Prometheus which phase a run is in and which faults hold, so that dashboards can draw them.

``aguante_phase{run_id, experiment, phase}``: 1 for the phase that the run is in, 0 for its others.
``aguante_fault_active{run_id, experiment, fault, link, service, kind}``: 1 while the fault really holds.

They are pushed to Prometheus's own OTLP receiver once a second and at every change: so nothing has to be able to
reach the runner, natively, on containers and on a testbed that is borrowed alike, and an edge is drawn where it was,
not at the next scrape. A Prometheus that does not take them costs nothing but a count.
"""

import asyncio
import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Self

import aiohttp

from aguante.clients.otlp_frames import PROTOBUF
from aguante.faults.planned_fault import PlannedFault, ToxiproxyFault
from aguante.plan.plan import Plan

EVERY_S = 1.0
LOOK_S = 0.05
"""How late an edge may be told."""
PUSH_LIMIT_S = 0.5
PHASE = "aguante_phase"
FAULT_ACTIVE = "aguante_fault_active"
JOB = "aguante-runner"


class Gauge(NamedTuple):
    """One value of one series."""

    name: str
    labels: Mapping[str, str]
    value: float


def gauges(plan: Plan, at_s: float, active: frozenset[str]) -> Iterator[Gauge]:
    """What is true at ``at_s`` seconds since t0, with these faults holding (by id). Pure."""
    run = {"run_id": plan.run_id, "experiment": plan.experiment}
    for window in plan.phases:
        inside = window.start_s <= at_s < window.end_s
        yield Gauge(PHASE, {**run, "phase": window.phase}, float(inside))
    for fault in plan.faults:
        yield Gauge(FAULT_ACTIVE, {**run, **_of(fault)}, float(fault.id in active))


def _of(fault: PlannedFault) -> Mapping[str, str]:
    on_link = isinstance(fault.fault, ToxiproxyFault)
    return {
        "fault": fault.id,
        "kind": fault.kind,
        "link": fault.target if on_link else "",
        "service": "" if on_link else fault.target,
    }


def next_edge_s(plan: Plan, at_s: float) -> float:
    """When the next phase begins, or the last ends, seconds since t0; infinite after that."""
    edges = (edge for window in plan.phases for edge in (window.start_s, window.end_s))
    return min((edge for edge in edges if edge > at_s), default=math.inf)


def encode(values: Iterator[Gauge], epoch_ns: int) -> bytes:
    """As an OTLP ExportMetricsServiceRequest."""
    # Imported here: 60 ms that only a run with a Prometheus needs.
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    def pairs(labels: Mapping[str, str]) -> list[KeyValue]:
        return [KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in labels.items()]

    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(pairs({"service.name": JOB}))
    scope = resource.scope_metrics.add()
    for name, group in itertools.groupby(values, key=lambda each: each.name):
        metric = scope.metrics.add(name=name)
        for each in group:
            point = metric.gauge.data_points.add(time_unix_nano=epoch_ns, as_double=each.value)
            point.attributes.extend(pairs(each.labels))
    return bytes(request.SerializeToString())


class Announcer:
    """Pushes a run's phases and faults while it is entered; on leaving, what then is true.

    Args:
        plan: of the run.
        address: of Prometheus; empty: there is none, and nothing is said.
        epoch_ns: the wall clock at t0.
        now_s: seconds since t0.
        active: the faults that hold now, by id.
    """

    def __init__(
        self,
        plan: Plan,
        address: str,
        epoch_ns: int,
        now_s: Callable[[], float],
        active: Callable[[], frozenset[str]],
    ) -> None:
        self._plan = plan
        self._url = f"{address}/api/v1/otlp/v1/metrics" if address else ""
        self._epoch_ns = epoch_ns
        self._now_s = now_s
        self._active = active
        self.taken = 0
        """Pushes that Prometheus took."""
        self.failed = 0
        """Pushes that it did not."""

    async def __aenter__(self) -> Self:
        if self._url:
            limit = aiohttp.ClientTimeout(total=PUSH_LIMIT_S)
            self._session = aiohttp.ClientSession(timeout=limit)
            self._task = asyncio.create_task(self._run(), name="announcer")
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._url:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        # The run is over, also one that was stopped: it is in none of its phases.
        await self._push(max(self._now_s(), self._plan.end_s), self._active())
        await self._session.close()

    async def _run(self) -> None:
        while True:
            at_s, active = self._now_s(), self._active()
            await self._push(at_s, active)
            due_s = min(at_s + EVERY_S, next_edge_s(self._plan, at_s))
            # Looked at, not told: applying and lifting a fault waits for nobody, and for no dashboard.
            while self._now_s() < due_s and self._active() == active:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)

    async def _push(self, at_s: float, active: frozenset[str]) -> None:
        now_ns = self._epoch_ns + round(self._now_s() * 1e9)
        body = encode(gauges(self._plan, at_s, active), now_ns)
        headers = {"Content-Type": PROTOBUF}
        try:
            async with self._session.post(self._url, data=body, headers=headers) as answer:
                good = answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            good = False
        self.taken += good
        self.failed += not good
