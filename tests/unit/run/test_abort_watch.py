"""Abort conditions: which are judged during a run, and what happens when one is met."""

import asyncio
from pathlib import Path

import pytest
from synthetic_run import write_run

from aguante.cli.render.plan_text import preview
from aguante.expectations.amplification import Amplification
from aguante.expectations.breaker import Breaker
from aguante.expectations.rate import Rate
from aguante.expectations.registry import Clause
from aguante.experiment import Experiment
from aguante.measure.live_evidence import LiveEvidence
from aguante.plan.plan import Plan, PlannedExpectation
from aguante.plan.schedule import Clock
from aguante.run import abort
from aguante.run.abort import AbortMonitor, abort_reason
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import TestbedSpec

WELL = Clause(rate=Rate(phase="baseline", status=(200,), max=0.5))
UNWELL = Clause(rate=Rate(phase="baseline", status=(200,), min=0.5))
OPENED = Clause(breaker=Breaker(link="reservations-payments", opens_within_s=5))
RETRIED = Clause(amplification=Amplification(link="reservations-payments", max=9))


class Ticks(Clock):
    """A clock whose first ``ticks`` waits end at once."""

    def __init__(self, ticks: int) -> None:
        super().__init__(0.0)
        self.ticks, self.waited = ticks, 0

    async def wait_until(self, at_s: float, stop: asyncio.Event) -> bool:
        self.waited += 1
        return not stop.is_set() and self.waited <= self.ticks


@pytest.fixture
def folder(tmp_path: Path, slow_plan: Plan) -> RunFolder:
    return write_run(tmp_path, slow_plan)


def asking(plan: Plan, *clauses: Clause) -> Plan:
    planned = tuple(PlannedExpectation(where="", clause=clause) for clause in clauses)
    return plan.model_copy(update={"abort_when": planned})


def test_the_first_condition_that_holds_is_the_reason(
    folder: RunFolder, slow_plan: Plan, shop: TestbedSpec
) -> None:
    """The reason has the observed value; a condition that is not met is skipped."""
    live = LiveEvidence(folder, slow_plan, shop).refresh()
    assert abort_reason(live, asking(slow_plan, WELL)) == ""
    reason = abort_reason(live, asking(slow_plan, WELL, UNWELL))
    assert reason.startswith("abort condition: ")
    assert "observed 100" in reason


def test_a_handful_of_requests_is_not_judged(
    folder: RunFolder, slow_plan: Plan, shop: TestbedSpec
) -> None:
    """A condition needs at least 20 requests."""
    lines = folder.records.read_bytes().splitlines(keepends=True)
    warmup = 120
    folder.records.write_bytes(b"".join(lines[: warmup + abort.MIN_N - 1]))
    live = LiveEvidence(folder, slow_plan, shop)
    assert abort_reason(live.refresh(), asking(slow_plan, UNWELL)) == ""
    folder.records.write_bytes(b"".join(lines[: warmup + abort.MIN_N]))
    assert abort_reason(live.refresh(), asking(slow_plan, UNWELL)) != ""


def test_conditions_on_spans_are_not_judged_during_a_run(
    folder: RunFolder, slow_plan: Plan, shop: TestbedSpec
) -> None:
    """There are no spans yet, so their result would be that of an empty run."""
    live = LiveEvidence(folder, slow_plan, shop).refresh()
    assert abort_reason(live, asking(slow_plan, OPENED, RETRIED)) == ""


async def test_a_condition_that_holds_ends_the_run(
    folder: RunFolder, slow_plan: Plan, shop: TestbedSpec
) -> None:
    """``stop`` is set, the reason is kept, and nothing more is judged."""
    monitor = AbortMonitor(folder, asking(slow_plan, UNWELL), shop)
    stop, clock = asyncio.Event(), Ticks(9)
    await monitor.run(clock, stop)
    assert (stop.is_set(), clock.waited) == (True, 2)
    assert monitor.reason.startswith("abort condition: ")


async def test_without_a_live_condition_no_evidence_is_opened(
    slow_plan: Plan, shop: TestbedSpec, tmp_path: Path
) -> None:
    """With only late conditions, or none, the monitor ends at once."""
    for clauses in ((), (OPENED, RETRIED)):
        clock = Ticks(9)
        monitor = AbortMonitor(RunFolder(tmp_path), asking(slow_plan, *clauses), shop)
        await monitor.run(clock, asyncio.Event())
        assert (clock.waited, monitor.reason) == (0, "")


def test_a_ledger_that_cannot_be_read_ends_the_run(
    folder: RunFolder, slow_plan: Plan, shop: TestbedSpec
) -> None:
    """Without working conditions nothing limits the damage, so the run stops and gives the reason."""
    folder.records.write_bytes(b"nonsense\n")
    monitor = AbortMonitor(folder, asking(slow_plan, WELL), shop)
    asyncio.run(monitor.run(Ticks(3), asyncio.Event()))
    assert monitor.reason.startswith("abort conditions cannot be judged: ")


def test_late_conditions_are_named_before_anything_is_started(
    slow_plan: Plan, slow: Experiment
) -> None:
    """``validate`` prints a note with the place; ``plan`` prints it beside the condition."""
    clauses = (WELL, OPENED, RETRIED)
    experiment = slow.model_copy(update={"abort_when": clauses})
    notes = list(experiment.late_conditions())
    assert [note.split(" ")[0] for note in notes] == [
        "abort_when[1].breaker",
        "abort_when[2].amplification",
    ]
    assert all("checked only at the end of the run" in note for note in notes)
    shown = preview(asking(slow_plan, *clauses), {}, 30)
    assert shown.count("(checked only at the end of the run)") == 2
