"""Runs one plan on one testbed: Plan -> drivers + load -> RunFolder -> Measures -> Verdict -> report.

Signals only set ``stop``; nothing cancels the run from outside. So healing and taking the testbed down, which stand
after everything that can end early, always run to their own limits.
"""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import TypeVar

from aguante.collect.environment import add_server_versions, read_environment
from aguante.collect.metrics_scraper import dropped_since, spans_dropped
from aguante.collect.otlp_collector import Collector
from aguante.collect.otlp_forwarder import Forwarder
from aguante.collect.span_stream import SpanStream
from aguante.load.seed_events import seed_events
from aguante.report.analyse import FrozenRun, JudgedRun, analyse
from aguante.run.fault_executor import HealError
from aguante.run.gather_evidence import gather_evidence
from aguante.run.load_and_faults import play_load_and_faults
from aguante.run.parts import RunContext, RunParts, RunRequest
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import CollectorClosed
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec

T = TypeVar("T")


class StoppedEarlyError(Exception):
    """The run was stopped before its load began: there is nothing to judge."""


class EvidenceLostError(Exception):
    """The run folder could not be written: nothing can be concluded. Every fault was undone and verified."""


DISK_ERRORS = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTDIR,
    )
)
"""Errors of a disk that is full, failing or not writable; any other OSError is a bug of the runner."""


async def run(request: RunRequest, parts: RunParts, stop: asyncio.Event) -> JudgedRun:
    """Run one experiment and judge it.

    ``stop`` ends the run early: faults are healed, and the evidence so far is judged as inconclusive.

    Raises:
        TestbedError: the testbed could not be started.
        StoppedEarlyError: ``stop`` was set before the load began.
        HealError: a fault could not be verified as undone; the run folder holds the verdict on the rest.
        JournalError: the undo journal could not be written; no fault was applied.
        EvidenceLostError: the run folder could not be written.
    """
    with _disk_errors_as_lost_evidence():
        folder = RunFolder.create(request.runs, request.plan.run_id)
        _freeze(request, folder)
        try:
            await _play(request, parts, stop)
        except HealError:
            with contextlib.suppress(
                OSError, EvidenceError
            ):  # must not hide that a fault is active
                await _judge(request, parts)
            raise
        return await _judge(request, parts)


@contextlib.contextmanager
def _disk_errors_as_lost_evidence() -> Iterator[None]:
    try:
        yield
    except OSError as why:
        if why.errno not in DISK_ERRORS:
            raise
        message = f"inconclusive: the evidence could not be written ({why}); fix: give the runs folder free space"
        raise EvidenceLostError(message) from why


def _freeze(request: RunRequest, folder: RunFolder) -> None:
    """Store everything that the run depends on, so that it can be judged from its folder alone."""
    folder.experiment.write_bytes(request.source)
    folder.policy.write_bytes(request.spec.policy_file(request.plan.policy).read_bytes())
    folder.plan.write_text(request.plan.model_dump_json(indent=2))
    folder.testbed.write_text(request.spec.model_dump_json(indent=2))
    folder.environment.write_text(read_environment().model_dump_json(indent=2))
    folder.invariants.mkdir()
    for invariant in request.spec.invariants:
        (folder.invariants / invariant.sql.name).write_bytes(invariant.sql.read_bytes())


async def _judge(request: RunRequest, parts: RunParts) -> JudgedRun:
    parts.progress.step("Reading the evidence ...")
    frozen = FrozenRun(request.folder, request.plan, request.spec)
    judged = await asyncio.to_thread(analyse, frozen)
    await asyncio.to_thread(judged.write)
    return judged


async def _play(request: RunRequest, parts: RunParts, stop: asyncio.Event) -> None:
    """Everything up to the end of the testbed; the trace collector is open for all of it."""
    folder = request.folder
    with EventLog(folder.events) as log:
        context = RunContext(request.plan, request.spec, folder, log, parts, stop)
        try:
            async with parts.collector:
                dropped = await _play_on_testbed(context)
        except HealError:
            with contextlib.suppress(OSError):
                log.write(_totals(parts.collector, None))
            raise
        log.write(_totals(parts.collector, dropped))


def _totals(collector: Collector, dropped: int | None) -> CollectorClosed:
    return CollectorClosed(
        requests=collector.requests,
        bytes=collector.bytes,
        spans_dropped=dropped,
        refused=collector.refused,
        refused_because=collector.refused_because,
    )


async def _play_on_testbed(context: RunContext) -> int | None:
    """Bring the testbed up, play, collect, take it down. Returns how many spans are missing; None: not known.

    A testbed of containers ends while its span stream is open, since services send their last spans at their end.
    """
    plan, runtime, collector = context.plan, context.parts.runtime, context.parts.collector
    context.report(f"Starting {context.spec.name} with policy {plan.policy} ...")
    try:
        starting = runtime.up(context.spec, plan.policy, collector.endpoint, dict(plan.replicas))
        testbed = await _unless(context.stop, starting)
        stream = SpanStream(testbed.telemetry, collector.keep)
        async with _forwarding(collector, testbed), stream:
            try:
                dropped = await _play_and_gather(context, testbed)
            finally:
                await runtime.down()
        return stream.lost(dropped)
    finally:
        await runtime.down()


@contextlib.asynccontextmanager
async def _forwarding(collector: Collector, testbed: Testbed) -> AsyncIterator[None]:
    """Forward spans to Jaeger, if there is one; a relay forwards them by itself."""
    if testbed.telemetry or not testbed.jaeger_otlp:
        yield
        return
    async with Forwarder(testbed.jaeger_otlp) as forwarder:
        collector.forward = forwarder.offer
        try:
            yield
        finally:
            collector.forward = None


async def _play_and_gather(context: RunContext, testbed: Testbed) -> int | None:
    """Everything on a running testbed. Returns how many spans the services dropped; None: not known."""
    await add_server_versions(context.folder.environment, testbed)
    before = await spans_dropped(
        testbed
    )  # earlier runs on an attached testbed may have dropped some
    seeding = seed_events(_with_planned_setup(context), testbed, context.plan.run_id)
    event_ids = await _unless(context.stop, seeding)
    await play_load_and_faults(context, testbed, event_ids)
    return dropped_since(before, await gather_evidence(context, testbed))


def _with_planned_setup(context: RunContext) -> TestbedSpec:
    setup = context.spec.setup.model_copy(update=context.plan.setup.model_dump())
    return context.spec.model_copy(update={"setup": setup})


async def _unless(stop: asyncio.Event, work: Awaitable[T]) -> T:
    """Await ``work``, but cancel it as soon as ``stop`` is set.

    Raises:
        StoppedEarlyError: it was cancelled.
    """
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        return await task
    task.cancel()
    await asyncio.wait({task})
    message = "stopped before load began; everything that had been started was taken down"
    raise StoppedEarlyError(message)
