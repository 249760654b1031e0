"""The part of a run during which load is sent and faults are applied by the plan's clock."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass

from aguante.collect.metrics_scraper import MetricsScraper
from aguante.collect.phase_publisher import PhasePublisher
from aguante.drivers.driver import FaultError
from aguante.load.generator import (
    GRACE_S,
    READY_LIMIT_S,
    LoadChild,
    LoadError,
    RecordTail,
    build_load_plan,
)
from aguante.load.seed_events import sold_out_id
from aguante.plan.schedule import Action, ApplyFault, Clock, UndoFault, actions_of, play
from aguante.run.abort import AbortMonitor
from aguante.run.fault_executor import FaultExecutor, HealError, journal_faults
from aguante.run.liveness import LOAD, TOXIPROXY, LivenessMonitor
from aguante.run.parts import RunContext
from aguante.run.progress import LiveStatus, Progress
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import LoadFinished, PhasesPublished, RunStarted, Stopped
from aguante.run_folder.journal import Journal
from aguante.runtimes.processes import process_alive
from aguante.testbed.runtime import Testbed

TICK_S = 0.5


@dataclass(frozen=True)
class _Timeline:
    """What acts while the clock runs."""

    clock: Clock
    faults: FaultExecutor
    load: LoadChild
    liveness: LivenessMonitor


async def play_load_and_faults(
    context: RunContext, testbed: Testbed, event_ids: Sequence[str]
) -> None:
    """Send the load and apply the faults; returns when the load has ended and every fault is healed.

    Raises:
        FaultError: a fault cannot be applied on this testbed; none was applied.
        JournalError: an undo could not be journaled; no fault was applied.
        LoadError: the load generator did not get ready.
        HealError: a fault could not be verified as undone.
    """
    plan, spec, folder, parts = context.plan, context.spec, context.folder, context.parts
    sold_out = sold_out_id(spec, plan.run_id)
    load_plan = build_load_plan(plan, testbed, event_ids, folder, sold_out)
    driver = parts.drivers_for(testbed)
    with Journal.open(folder.journal, plan.run_id) as journal:
        async with parts.start_load(load_plan, spec, folder.logs / "load.log") as load:
            await load.ready(READY_LIMIT_S)
            journaled = await journal_faults(plan.faults, driver, journal)
            clock = parts.start_clock()
            faults = FaultExecutor(journaled, driver, journal, context.log, clock.now_s)
            alive = {**parts.runtime.parts(), LOAD: process_alive(load.pid)}
            await _play(context, testbed, _Timeline(clock, faults, load, LivenessMonitor(alive)))
            await _finish_load(context, load, clock)


async def _play(context: RunContext, testbed: Testbed, timeline: _Timeline) -> None:
    """Start the load and play the timeline; whatever ends it, every fault is healed before this returns."""
    clock, faults = timeline.clock, timeline.faults
    epoch_ns = _epoch_ns(clock)
    context.log.write(RunStarted(epoch_ns=epoch_ns))
    timeline.load.begin(clock.t0)
    async with PhasePublisher(
        context.plan, testbed.prometheus, epoch_ns, clock.now_s, faults.active
    ) as publisher:
        try:
            await _play_timeline(context, testbed, timeline)
        finally:
            await _heal(context, timeline)
    note_publishing(context.log, context.parts.progress, publisher)


def note_publishing(log: EventLog, progress: Progress, publisher: PhasePublisher) -> None:
    """Log how many pushes Prometheus accepted, if there is a Prometheus."""
    accepted, failed = publisher.accepted, publisher.failed
    if accepted or failed:
        log.write(PhasesPublished(taken=accepted, failed=failed))
    if failed:
        pushes = accepted + failed
        progress.step(
            f"Note: Prometheus accepted {accepted} of {pushes} pushes of phases and faults."
        )


async def _heal(context: RunContext, timeline: _Timeline) -> None:
    """Heal every fault; if that fails, log that the run ended early. Raises HealError."""
    try:
        await timeline.faults.heal(
            lambda: timeline.liveness.ended(TOXIPROXY), context.parts.heal_limit_s
        )
    except HealError as error:
        with contextlib.suppress(OSError):  # a full disk must not hide that a fault is still active
            context.log.write(Stopped(at_s=timeline.clock.now_s(), reason=str(error)))
        raise


async def _play_timeline(context: RunContext, testbed: Testbed, timeline: _Timeline) -> None:
    """Carry out the plan's actions, with the monitors beside them; logs what ends them early."""
    plan, stop, clock, faults = context.plan, context.stop, timeline.clock, timeline.faults

    async def act(action: Action) -> None:
        if isinstance(action, ApplyFault):
            await faults.apply(action.fault)
        elif isinstance(action, UndoFault):
            await faults.undo(action.fault)

    reason = ""
    abort = AbortMonitor(context.folder, plan, context.spec)
    async with _beside(
        stop,
        MetricsScraper(testbed, context.folder.metrics).run(clock.now_s),
        abort.run(clock, stop),
        timeline.liveness.run(stop, clock.now_s, plan.end_s),
        _tick(context, clock),
    ):
        try:
            if not await play(actions_of(plan), clock, stop, act):
                reason = timeline.liveness.reason or abort.reason or "stopped by a signal"
        except FaultError as error:
            reason = f"a fault could not be applied: {error}"
    if reason:
        context.log.write(Stopped(at_s=clock.now_s(), reason=reason))
        timeline.load.end_arrivals()


@contextlib.asynccontextmanager
async def _beside(
    stop: asyncio.Event, *works: Coroutine[object, object, None]
) -> AsyncIterator[None]:
    """Run ``works`` beside the body and end them with it; if one fails, ``stop`` is set and its error is raised."""

    def stop_on_failure(task: asyncio.Future[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            stop.set()

    tasks = [asyncio.ensure_future(work) for work in works]
    for task in tasks:
        task.add_done_callback(stop_on_failure)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _tick(context: RunContext, clock: Clock) -> None:
    """Report the state of the run twice a second, until cancelled."""
    plan, tail = context.plan, RecordTail(context.folder.records)
    curve = plan.load.curve
    while True:
        await asyncio.sleep(TICK_S)
        at_s = clock.now_s()
        if at_s < 0:
            continue
        load = tail.poll(at_s)
        context.parts.progress.tick(
            LiveStatus(
                at_s=at_s,
                end_s=plan.end_s,
                phase=next((w.phase for w in plan.phases if at_s < w.end_s), "drain"),
                offered_rps=curve.at(at_s),
                achieved_rps=load.achieved_rps,
                codes=load.codes,
                faults=tuple(f.id for f in plan.faults if f.start_s <= at_s < f.end_s),
            )
        )


async def _finish_load(context: RunContext, load: LoadChild, clock: Clock) -> None:
    """Wait for the last responses and log the generator's summary."""
    limit_s = context.plan.load.timeout_s + GRACE_S
    context.report(f"Load ended; waiting for the last responses (at most {limit_s:g} s) ...")
    try:
        summary = await load.finish(limit_s)
    except LoadError as error:  # what was recorded is still evidence, of an inconclusive run
        context.log.write(Stopped(at_s=clock.now_s(), reason=str(error)))
        return
    context.log.write(
        LoadFinished(
            offered=summary.offered,
            sent=summary.sent,
            shed=summary.shed,
            completed=summary.completed,
            exit_code=0,
            clock_error_ms=summary.clock_error_ms,
        )
    )


def _epoch_ns(clock: Clock) -> int:
    """The wall clock at t0, nanoseconds, which relates spans to records."""
    return time.time_ns() + round((clock.t0 - time.monotonic()) * 1e9)
