"""Plays one plan on one testbed: Plan -> drivers + load -> RunFolder -> Measures -> Verdict -> report.

Signals only set ``stop``; nothing cancels the run from outside. So ``heal`` and ``down``, which stand
behind everything that can end early, always run to their own limits.
"""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aguante.collect.environment import add_server_versions, read_environment
from aguante.collect.metrics_scraper import dropped_since, spans_dropped
from aguante.collect.otlp_collector import Collector
from aguante.collect.otlp_forwarder import Forwarder
from aguante.collect.span_decoder import decode_spans
from aguante.collect.span_stream import SpanStream
from aguante.load.seed_events import seed_events
from aguante.measure.measure_run import measure
from aguante.plan.plan import Plan
from aguante.report.write_reports import write_reports
from aguante.run.fault_executor import HealError
from aguante.run.load_and_faults import Stage, gather_evidence, play_on
from aguante.run.progress import Progress
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import CollectorClosed
from aguante.run_folder.folder import RunFolder
from aguante.testbed.runtime import Runtime, Testbed
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.judge import judge
from aguante.verdict.verdict import Verdict

T = TypeVar("T")


@dataclass(frozen=True)
class RunRequest:
    """One run, as asked for."""

    plan: Plan
    spec: TestbedSpec
    source: bytes
    """The experiment file as it was validated, byte for byte."""
    runs: Path
    """Folder of all runs."""


@dataclass(frozen=True)
class RunOutcome:
    """A run that was judged."""

    folder: RunFolder
    verdict: Verdict


class StoppedEarlyError(Exception):
    """The run was stopped before its load began: there is nothing to judge."""


class EvidenceLostError(Exception):
    """The run folder could not be written: nothing can be concluded. Every fault was undone and verified."""


DISK_SAYS_NO = frozenset(
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
"""What a disk answers that is full, failing or not ours to write; any other OSError is a fault of ours."""


async def run(
    request: RunRequest, runtime: Runtime, progress: Progress, stop: asyncio.Event
) -> RunOutcome:
    """Play one experiment and judge it.

    ``stop`` ends the run early: faults are healed and what was seen is judged, as inconclusive.

    Raises:
        TestbedError: the testbed could not be started.
        StoppedEarlyError: ``stop`` was set before load began.
        HealError: a fault could not be verified undone; the folder holds the verdict on the rest.
        JournalError: the undo journal could not be written; no fault was applied.
        EvidenceLostError: the run folder could not be written.
    """
    with _evidence_kept():
        folder = RunFolder.create(request.runs, request.plan.run_id)
        _freeze(request, folder)
        unhealed = await _play_in(folder, request, runtime, progress, stop)
        progress.step("Reading the evidence ...")
        verdict = await asyncio.to_thread(analyse, folder, request)
    if unhealed:
        raise unhealed
    return RunOutcome(folder, verdict)


@contextlib.contextmanager
def _evidence_kept() -> Iterator[None]:
    """Of a disk's refusal make an EvidenceLostError."""
    try:
        yield
    except OSError as why:
        if why.errno not in DISK_SAYS_NO:
            raise
        message = (
            f"inconclusive: the evidence could not be kept ({why}): give the runs folder space"
        )
        raise EvidenceLostError(message) from why


async def _play_in(
    folder: RunFolder,
    request: RunRequest,
    runtime: Runtime,
    progress: Progress,
    stop: asyncio.Event,
) -> HealError | None:
    """Everything up to the end of the testbed; returns what could not be healed, after all else was done."""
    unhealed: HealError | None = None
    with EventLog(folder.events) as log:
        async with Collector(folder.otlp) as collector:
            stage = Stage(request.plan, request.spec, folder, log, progress, stop, runtime)
            try:
                dropped = await _on_testbed(stage, collector)
            except HealError as error:
                unhealed, dropped = error, None
        log.write(
            CollectorClosed(
                requests=collector.requests,
                bytes=collector.bytes,
                spans_dropped=dropped,
                refused=collector.refused,
                refused_because=collector.refused_because,
            )
        )
    return unhealed


async def _on_testbed(stage: Stage, collector: Collector) -> int | None:
    """Start, play, gather, end. Returns how many spans are missing (None: not known).

    A testbed in containers ends within the stream of its spans: the last are sent while services end.
    """
    runtime = stage.runtime
    stage.progress.step(f"Starting {stage.spec.name} with policy {stage.plan.policy} ...")
    try:
        starting = runtime.up(
            stage.spec, stage.plan.policy, collector.endpoint, dict(stage.plan.replicas)
        )
        testbed = await _unless(stage.stop, starting)
        jaeger = "" if testbed.telemetry else testbed.jaeger_otlp  # a relay hands on by itself
        stream = SpanStream(testbed.telemetry, collector.keep)
        async with _handed_on(collector, jaeger), stream:
            try:
                dropped = await _play_and_gather(stage, testbed)
            finally:
                await runtime.down()
        return stream.lost(dropped)
    finally:
        await runtime.down()


@contextlib.asynccontextmanager
async def _handed_on(collector: Collector, jaeger: str) -> AsyncIterator[None]:
    """Give Jaeger the spans too, where there is one to be given them."""
    if not jaeger:
        yield
        return
    async with Forwarder(jaeger) as forwarder:
        collector.forward = forwarder.offer
        try:
            yield
        finally:
            collector.forward = None


async def _play_and_gather(stage: Stage, testbed: Testbed) -> int | None:
    """Everything on a testbed that is up; returns how many spans the services dropped (None: not known)."""
    await add_server_versions(stage.folder.environment, testbed)
    before = await spans_dropped(testbed)  # of a borrowed testbed: by runs before this one
    setup = seed_events(_as_planned(stage), testbed, stage.plan.run_id)
    event_ids = await _unless(stage.stop, setup)
    await play_on(stage, testbed, event_ids)
    return dropped_since(before, await gather_evidence(stage, testbed))


def _as_planned(stage: Stage) -> TestbedSpec:
    """The TestbedSpec with the experiment's own setup in place of its own."""
    setup = stage.plan.setup
    chosen = {"events": setup.events, "capacity": setup.capacity}
    return stage.spec.model_copy(update={"setup": stage.spec.setup.model_copy(update=chosen)})


async def _unless(stop: asyncio.Event, work: Awaitable[T]) -> T:
    """Await ``work``, but give it up as soon as ``stop`` is set.

    Raises:
        StoppedEarlyError: it was given up.
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


def _freeze(request: RunRequest, folder: RunFolder) -> None:
    folder.experiment.write_bytes(request.source)
    folder.policy.write_bytes((request.spec.policies / f"{request.plan.policy}.yaml").read_bytes())
    folder.plan.write_text(request.plan.model_dump_json(indent=2))
    folder.testbed.write_text(request.spec.model_dump_json(indent=2))
    folder.environment.write_text(read_environment().model_dump_json(indent=2))
    folder.invariants.mkdir()
    for invariant in request.spec.invariants:
        (folder.invariants / invariant.sql.name).write_bytes(invariant.sql.read_bytes())


def analyse(folder: RunFolder, request: RunRequest) -> Verdict:
    """Everything after the last request: decode, measure, judge, report. Can be repeated at will.

    Raises:
        OSError: a file of the run folder cannot be read or written.
    """
    decode_spans(folder)
    measures = measure(folder, request.plan, request.spec, keep_traces=True)
    folder.measures.write_text(measures.model_dump_json(indent=2))
    verdict = judge(request.plan, measures)
    folder.verdict.write_text(verdict.model_dump_json(indent=2))
    write_reports(folder, request.plan, measures, verdict)
    return verdict
