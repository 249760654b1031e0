"""The part of a run during which the testbed is up: load, faults by the clock, settling, evidence."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from aguante.collect.database_dump import DumpError, dump_tables
from aguante.collect.metrics_scraper import MetricsScraper, spans_dropped
from aguante.collect.phase_publisher import PhasePublisher
from aguante.collect.promql_samples import queries_of, run_queries, scraped_in_s, write_promql
from aguante.collect.settle import settle
from aguante.drivers.driver import FaultDriver, FaultError
from aguante.drivers.driver_set import Drivers
from aguante.drivers.process.process_driver import ProcessDriver
from aguante.drivers.pumba.pumba_driver import PumbaDriver
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.load.generator import (
    GRACE_S,
    READY_LIMIT_S,
    T0_LEAD_S,
    LoadChild,
    LoadError,
    RecordTail,
    build_load_plan,
)
from aguante.load.seed_events import sold_out_id
from aguante.plan.plan import Plan
from aguante.plan.schedule import Action, ApplyFault, Clock, UndoFault, actions_of, play
from aguante.run.abort import AbortWatch
from aguante.run.fault_executor import Faults, HealError, write_down
from aguante.run.liveness import LOAD, TOXIPROXY, PartsWatch
from aguante.run.progress import LiveStatus, Progress
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import LoadFinished, PhasesPublished, RunStarted, Stopped
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import Journal
from aguante.run_folder.run_log import read_run_log
from aguante.runtimes.compose.docker_control import ContainerControl
from aguante.runtimes.processes import process_alive
from aguante.testbed.runtime import Runtime, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

TICK_S = 0.5


@dataclass(frozen=True)
class Stage:
    """What every step of a run needs."""

    plan: Plan
    spec: TestbedSpec
    folder: RunFolder
    log: EventLog
    progress: Progress
    stop: asyncio.Event
    runtime: Runtime


async def play_on(stage: Stage, testbed: Testbed, event_ids: Sequence[str]) -> None:
    """Load and faults by the plan's clock; returns when the load has ended and every fault is healed.

    Raises:
        FaultError: a fault cannot be applied on this testbed at all; none was.
        JournalError: an intent could not be written; no fault was applied.
        LoadError: the load generator did not get ready.
        HealError: a fault could not be verified undone.
    """
    gone = sold_out_id(stage.spec, stage.plan.run_id)
    plan = build_load_plan(stage.plan, testbed, event_ids, stage.folder, gone)
    driver = drivers_of(stage, testbed)
    with Journal.open(stage.folder.journal, stage.plan.run_id) as journal:
        async with LoadChild.start(plan, stage.spec, stage.folder.logs / "load.log") as load:
            await load.ready(READY_LIMIT_S)
            intents = await write_down(stage.plan.faults, driver, journal)
            clock = Clock(time.monotonic() + T0_LEAD_S)
            faults = Faults(intents, driver, journal, stage.log, clock.now_s)
            epoch_ns = _epoch_ns(clock)
            stage.log.write(RunStarted(epoch_ns=epoch_ns))
            parts = PartsWatch({**stage.runtime.parts(), LOAD: process_alive(load.pid)})
            load.begin(clock.t0)
            at = (stage.plan, testbed.prometheus, epoch_ns, clock.now_s)
            async with PhasePublisher(*at, faults.active) as publisher:
                try:
                    await _play_out(stage, testbed, clock, faults, load, parts)
                finally:
                    await _heal(stage, clock, faults, parts)
            note_publishing(stage.log, stage.progress, publisher)
            await _finish_load(stage, load, clock.now_s)


def note_publishing(log: EventLog, progress: Progress, publisher: PhasePublisher) -> None:
    """Write down how often Prometheus was told, where there is one."""
    told = PhasesPublished(taken=publisher.accepted, failed=publisher.failed)
    if told.taken or told.failed:
        log.write(told)
    if told.failed:
        of = told.taken + told.failed
        progress.step(f"Note: Prometheus took {told.taken} of {of} pushes of phases and faults.")


def drivers_of(stage: Stage, testbed: Testbed) -> Drivers:
    """The drivers that this testbed has something for."""
    run_id, control = stage.plan.run_id, stage.runtime.control
    drivers: dict[str, FaultDriver[Any]] = {"toxiproxy": ToxiproxyDriver(testbed.toxiproxy, run_id)}
    if control is not None:
        drivers["process"] = ProcessDriver(control, stage.spec.ready_paths)
    if isinstance(control, ContainerControl):
        settings = stage.spec.pumba.with_overrides_from(os.environ)
        drivers["pumba"] = PumbaDriver(control.docker, testbed.id, run_id, settings)
    return Drivers(drivers)


async def _heal(stage: Stage, clock: Clock, faults: Faults, parts: PartsWatch) -> None:
    """Heal; a run that cannot be healed has ended early, and its diary says so. Raises HealError."""
    try:
        await faults.heal(lambda: parts.ended(TOXIPROXY))
    except HealError as error:
        with contextlib.suppress(OSError):  # a full disk must not hide that a fault still holds
            stage.log.write(Stopped(at_s=clock.now_s(), reason=str(error)))
        raise


async def _play_out(
    stage: Stage,
    testbed: Testbed,
    clock: Clock,
    faults: Faults,
    load: LoadChild,
    parts: PartsWatch,
) -> None:
    """The timeline, with the ticker and the scraper beside it; whatever ends it early is written down."""

    async def act(action: Action) -> None:
        if isinstance(action, ApplyFault):
            await faults.apply(action.fault)
        elif isinstance(action, UndoFault):
            await faults.undo(action.fault)

    reason = ""
    watch = AbortWatch(stage.folder, stage.plan, stage.spec)
    async with _beside(
        stage.stop,
        MetricsScraper(testbed, stage.folder.metrics).run(clock.now_s),
        watch.run(clock, stage.stop),
        parts.run(stage.stop, clock.now_s, stage.plan.end_s),
        _tick(stage, clock),
    ):
        try:
            if not await play(actions_of(stage.plan), clock, stage.stop, act):
                reason = parts.reason or watch.reason or "stopped by a signal"
        except FaultError as error:
            reason = f"a fault could not be applied: {error}"
    if reason:
        stage.log.write(Stopped(at_s=clock.now_s(), reason=reason))
        load.end_arrivals()


@contextlib.asynccontextmanager
async def _beside(
    stop: asyncio.Event, *works: Coroutine[object, object, None]
) -> AsyncIterator[None]:
    """Run ``works`` beside the body and end them with it; a failure of one sets ``stop`` and is raised."""

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


async def _tick(stage: Stage, clock: Clock) -> None:
    """Tell the terminal twice a second where the run is; ends when cancelled."""
    tail, curve = RecordTail(stage.folder.records), stage.plan.load.curve
    while True:
        await asyncio.sleep(TICK_S)
        at_s = clock.now_s()
        if at_s < 0:
            continue
        seen = tail.poll(at_s)
        stage.progress.tick(
            LiveStatus(
                at_s=at_s,
                end_s=stage.plan.end_s,
                phase=next((w.phase for w in stage.plan.phases if at_s < w.end_s), "drain"),
                offered_rps=curve.at(at_s),
                achieved_rps=seen.achieved_rps,
                codes=seen.codes,
                faults=tuple(f.id for f in stage.plan.faults if f.start_s <= at_s < f.end_s),
            )
        )


async def _finish_load(stage: Stage, load: LoadChild, now_s: Callable[[], float]) -> None:
    """Await the generator's last answers and note its own summary."""
    stage.progress.step("Load ended; waiting for the last answers ...")
    try:
        summary = await load.finish(stage.plan.load.timeout_s + GRACE_S)
    except (
        LoadError
    ) as error:  # what was recorded until then is still evidence, of a run that proves nothing
        stage.log.write(Stopped(at_s=now_s(), reason=str(error)))
        return
    stage.log.write(
        LoadFinished(
            offered=summary.offered,
            sent=summary.sent,
            shed=summary.shed,
            completed=summary.completed,
            exit_code=0,
            clock_error_ms=summary.clock_error_ms,
        )
    )


async def gather_evidence(stage: Stage, testbed: Testbed) -> dict[str, int | None]:
    """Wait until the system has settled, then read the databases, the drop counters and the logs.

    Returns:
        The services' counters of dropped spans, by instance; None: it could not be read.

    Raises:
        OSError: the run folder cannot be written.
    """
    if all(alive() for alive in stage.runtime.parts().values()):
        await _audit(stage, testbed)  # without one of them no system can come to rest
    await _ask_prometheus(stage, testbed)
    dropped = await spans_dropped(testbed)
    try:
        await stage.runtime.save_logs(stage.folder.logs)
    except TestbedError as error:  # a run is judged without them
        stage.progress.step(f"warning: {error}")
    return dropped


async def _ask_prometheus(stage: Stage, testbed: Testbed) -> None:
    """Keep what Prometheus gives for each ``promql``, so that the run can be judged without it."""
    queries = queries_of(stage.plan)
    epoch_ns = read_run_log(stage.folder.events).epoch_ns
    if not queries or epoch_ns is None:
        return
    stage.progress.step("Asking Prometheus ...")
    now_s = (time.time_ns() - epoch_ns) / 1e9
    await asyncio.sleep(scraped_in_s(queries, now_s) if testbed.prometheus else 0.0)
    recorded = await run_queries(queries, testbed.prometheus, epoch_ns / 1e9)
    write_promql(stage.folder.promql, recorded)


async def _audit(stage: Stage, testbed: Testbed) -> None:
    stage.progress.step("Waiting for the system to settle ...")
    stage.log.write(await settle(stage.spec.settle, testbed))
    stage.progress.step("Reading the databases ...")
    try:
        await dump_tables(testbed.databases, stage.folder.tables)
    except DumpError as error:  # then the invariants are unknown, and the verdict says so
        stage.progress.step(f"warning: {error}")


def _epoch_ns(clock: Clock) -> int:
    """The wall clock at t0, nanoseconds: what puts spans and records on one axis."""
    return time.time_ns() + round((clock.t0 - time.monotonic()) * 1e9)
