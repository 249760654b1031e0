"""Experiments of chaos-experiments/ on the real system: some shortened by ``--set``, some as they are shipped."""

import csv
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from aguante_process import ROOT
from real_runs import RETRIED, EndedRun, play, real_runs

from aguante.run_folder.events import STARTED_ANEW
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import pending

EXPERIMENTS = ROOT / "chaos-experiments"
SHORT = ("phases.warmup_s=1", "phases.baseline_s=3", "phases.fault_s=4", "phases.recovery_s=6")
SHORTENED = {
    "payments-kill": ("load.rate_rps=10", "faults.0.duration_s=2"),
    # A failed delivery is repeated 5 s later: time for two of them.
    "notifications-down": (
        "load.rate_rps=10",
        "phases.recovery_s=11",
    ),
    "telemetry-down": (
        *("load.rate_rps=25", "phases.fault_s=8", "faults.0.duration_s=3.5"),
        *("faults.1.start_s=4", "faults.1.duration_s=3.5"),
    ),
}
SHIPPED = ("inventory-down", "payment-timeout-ambiguity", "race-one-seat")

Runs = Mapping[str, EndedRun]


def job(name: str, *sets: str) -> "partial[EndedRun]":
    experiment = EXPERIMENTS / f"{name}.yaml"
    return partial(play, experiment=experiment, options=RETRIED, sets=sets)


shortened = real_runs("shortened", {name: job(name, *SHORT, *s) for name, s in SHORTENED.items()})
shipped = real_runs("shipped", {name: job(name) for name in SHIPPED})


def test_a_killed_service_is_restarted_and_loses_nothing(shortened: Runs) -> None:
    """SIGKILL under load: its callers observe it, another process replaces it, and all invariants hold."""
    run = shortened["payments-kill"]
    (fault,) = run.verdict.faults
    assert (fault.kind, fault.service) == ("kill", "payments")
    assert (fault.injection_observed, fault.undone_verified) == (True, True)
    assert fault.attempts_bitten > 0
    assert f"{STARTED_ANEW} (was " in run.folder.events.read_text()
    assert pending(run.folder.journal) == []
    assert [each.name for each in run.verdict.invariants if each.outcome == "violated"] == []


def test_a_missed_notification_is_delivered_later(shortened: Runs) -> None:
    """Requests during the fault succeed, and afterwards the outbox has delivered every notification."""
    run = shortened["notifications-down"]
    fault = next(phase for phase in run.verdict.phases if phase.phase == "fault")
    confirmed = sum(cause.requests for cause in fault.causes if cause.status == 200)
    assert confirmed >= 0.9 * fault.requests
    with (run.folder.tables / "reservations.outbox.csv").open(newline="") as file:
        notices = list(csv.DictReader(file))
    late = [each for each in notices if int(each["attempts"]) > 0]
    assert late, "nothing waited in the outbox: the fault had no effect"
    assert [each for each in notices if not each["delivered_at"]] == []


def test_a_dead_collector_costs_spans_and_no_request(shortened: Runs) -> None:
    """It hangs, then it is gone: no span arrives, some are lost and counted, and requests succeed."""
    run = shortened["telemetry-down"]
    assert [each.id for each in run.verdict.faults if each.injection_observed] == ["hangs", "gone"]
    for fault in run.verdict.faults:
        assert "; 0 spans reached the collector" in fault.evidence  # no span took another way
    fault_phase = next(phase for phase in run.verdict.phases if phase.phase == "fault")
    confirmed = sum(cause.requests for cause in fault_phase.causes if cause.status == 200)
    assert confirmed >= 0.9 * fault_phase.requests
    (closed,) = (each for each in read_events(run.folder) if each["kind"] == "collector")
    assert closed["spans_dropped"] > 0


@pytest.mark.long("each run takes 40 s with the phases of its file")
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_experiment_holds_as_it_is(shipped: Runs, name: str) -> None:
    """With its own phases, rates and bounds, unchanged."""
    verdict = shipped[name].verdict
    assert verdict.verdict == "held", verdict.reasons
    assert all(fault.injection_observed for fault in verdict.faults)


def read_events(folder: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.events.read_text().splitlines()]
