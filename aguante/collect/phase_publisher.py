"""Publishes a run's current phase and active faults to Prometheus, for dashboards.

``aguante_phase{run_id, experiment, phase}``: 1 for the current phase, 0 for the others.
``aguante_fault_active{run_id, experiment, fault, link, service, kind}``: 1 while the fault is active.

They are pushed to Prometheus's OTLP receiver once a second and at every change. Pushing works with every runtime,
since Prometheus need not reach the runner, and it records a change when it happens and not at the next scrape.
A push that Prometheus does not accept is only counted.
"""

import asyncio
import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Self

import aiohttp

from aguante.clients.otlp_frames import PROTOBUF
from aguante.faults.planned_fault import PlannedFault
from aguante.plan.plan import Plan

EVERY_S = 1.0
POLL_S = 0.05
"""How late a change may be published."""
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
    """All values at ``at_s`` seconds since t0; ``active`` holds the ids of the active faults."""
    run = {"run_id": plan.run_id, "experiment": plan.experiment}
    for window in plan.phases:
        inside = window.start_s <= at_s < window.end_s
        yield Gauge(PHASE, {**run, "phase": window.phase}, float(inside))
    for fault in plan.faults:
        yield Gauge(FAULT_ACTIVE, {**run, **_of(fault)}, float(fault.id in active))


def _of(fault: PlannedFault) -> Mapping[str, str]:
    on_link = fault.fault.on_link
    return {
        "fault": fault.id,
        "kind": fault.variant,
        "link": fault.target if on_link else "",
        "service": "" if on_link else fault.target,
    }


def next_edge_s(plan: Plan, at_s: float) -> float:
    """When the next phase begins or the last one ends, seconds since t0; infinite after that."""
    edges = (edge for window in plan.phases for edge in (window.start_s, window.end_s))
    return min((edge for edge in edges if edge > at_s), default=math.inf)


def encode(values: Iterator[Gauge], epoch_ns: int) -> bytes:
    """Encode the values as an OTLP ExportMetricsServiceRequest."""
    # Imported here because it takes 60 ms and only a run with Prometheus needs it.
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


class PhasePublisher:
    """Pushes a run's phases and faults while it is open, and their last values on leaving.

    Args:
        plan: of the run.
        address: base URL of Prometheus; empty: there is none, and nothing is pushed.
        epoch_ns: wall clock at t0.
        now_s: seconds since t0.
        active: ids of the active faults.
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
        self.accepted = 0
        """Pushes that Prometheus accepted."""
        self.failed = 0
        """Pushes that it did not accept."""

    async def __aenter__(self) -> Self:
        if self._url:
            limit = aiohttp.ClientTimeout(total=PUSH_LIMIT_S)
            self._session = aiohttp.ClientSession(timeout=limit)
            self._task = asyncio.create_task(self._run(), name="phase-publisher")
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._url:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        # A run that was stopped early is over too: no phase is current.
        await self._push(max(self._now_s(), self._plan.end_s), self._active())
        await self._session.close()

    async def _run(self) -> None:
        while True:
            at_s, active = self._now_s(), self._active()
            await self._push(at_s, active)
            due_s = min(at_s + EVERY_S, next_edge_s(self._plan, at_s))
            # Polled, so that applying and undoing a fault never waits for a dashboard.
            while self._now_s() < due_s and self._active() == active:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)

    async def _push(self, at_s: float, active: frozenset[str]) -> None:
        now_ns = self._epoch_ns + round(self._now_s() * 1e9)
        body = encode(gauges(self._plan, at_s, active), now_ns)
        headers = {"Content-Type": PROTOBUF}
        try:
            async with self._session.post(self._url, data=body, headers=headers) as response:
                accepted = response.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            accepted = False
        self.accepted += accepted
        self.failed += not accepted
