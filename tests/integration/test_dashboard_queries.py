"""Every panel's query on a real Prometheus during a real run, and what the panels say beside verdict.json."""

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from dashboard_world import RATE_INTERVAL_S, Grafana, Line, every_query, the_panel
from native_world import aguante

from aguante.runfolder import RunFolder
from aguante.verdict.model import Verdict

ROOT = Path(__file__).parents[2]
EXPERIMENT = """\
name: payments-slow-short
title: payments-slow, shorter, and played to its end whatever it shows
learn: A test.
load: {profile: mixed, rate_rps: 45, mix: {reserve: 0.75, read_event: 0.25}}
phases: {warmup_s: 2, baseline_s: 4, fault_s: 9, recovery_s: 7}
faults:
  - {id: slow, toxiproxy: {link: reservations-payments, toxic: latency, latency_ms: 3500, jitter_ms: 200}}
expect:
  - breaker: {link: reservations-payments, opens_within_s: 6}
invariants: all
"""
LINK = "reservations-payments"
SCRAPE_S = 1.0
STEP_S = 0.25
"""Of queries about moments: finer than a scrape, so that it adds little."""
LATE_S = 0.5
"""A scrape takes some time itself, more on a busy machine."""
LIMIT_S = 180

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Played:
    """A run, and the Prometheus that saw it."""

    verdict: Verdict
    grafana: Grafana
    t0_s: float
    """Epoch seconds of the run's zero."""

    def show(self, board: str, title: str, step_s: float = 1) -> list[Line]:
        """The lines of a panel."""
        return self.grafana.show(the_panel(board, title), step_s)


@pytest.fixture(scope="module")
def played(own_parent: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """payments-slow, shortened, on a testbed that has a Prometheus."""
    runs = tmp_path_factory.mktemp("runs")
    experiment = tmp_path_factory.mktemp("experiment") / "short.yaml"
    experiment.write_text(EXPERIMENT)
    environ = {**os.environ, "AGUANTE_STATE": str(own_parent)}

    def call(*arguments: str) -> str:
        done = subprocess.run(
            aguante(*arguments),
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        # a busy machine may deviate, or send too little: what was played is compared all the same
        assert done.returncode in (0, 1, 2), done.stderr
        return done.stdout

    testbed = json.loads(call("up", "--with", "prometheus", "--detach", "--json"))
    try:
        began_s = time.time() - 1
        played_on = ("--attach", testbed["id"], "--runs", str(runs), "--quiet")
        call("run", str(experiment), *played_on)
        time.sleep(RATE_INTERVAL_S + LATE_S)  # for the last rate to be back at 0
        (folder,) = (RunFolder(path) for path in runs.iterdir())
        verdict = Verdict.model_validate_json(folder.verdict.read_bytes())
        t0_s = json.loads(folder.events.read_text().splitlines()[0])["epoch_ns"] / 1e9
        run = Grafana(testbed["prometheus"], began_s, time.time(), verdict.run_id)
        yield Played(verdict, run, t0_s)
    finally:
        call("down", testbed["id"])


def test_no_panel_is_empty(played: Played) -> None:
    """Each query of each dashboard shows at least one number in a run; what did not happen shows as 0."""
    empty = [
        panel.name
        for panel in every_query()
        if not any(line.points for line in played.grafana.show(panel))
    ]
    assert empty == []


def test_answers_by_status_and_mechanism_add_up_to_the_verdicts(played: Played) -> None:
    """What the panel shows over the run is what the verdict counted; first answers of a kind are not lost.

    To one answer, and one second of the highest rate for each scrape that a busy machine missed. Not cut to the
    run: a rate over 4 s is not back at 0 when the last phase ends.
    """
    every_run = replace(played.grafana, run=".*")
    shown, highest = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for line in every_run.show(the_panel("experiment", "Answers by status and mechanism")):
        key = (line.label("http_response_status_code"), line.label("error_type"))
        shown[key] = sum(value for _, value in line.points)  # type: ignore[assignment]
        highest[key] = max(value for _, value in line.points)  # type: ignore[type-var]
    counted = Counter[tuple[str, str]]()
    for phase in played.verdict.phases:
        for cause in phase.causes:
            if cause.origin != "client":
                counted[str(cause.status), cause.mechanism] += cause.requests
    assert counted["429", "semaphore_full"] > 0
    assert counted["503", "breaker_open"] > 0
    missed = missed_scrapes(played)
    for key in counted | shown:
        assert shown[key] == pytest.approx(counted[key], abs=1 + missed * highest[key]), key


def missed_scrapes(played: Played) -> int:
    """How many steps of the range have no good scrape of the gateway, after the first one."""
    (up,) = (
        line
        for line in played.show("telemetry", "Read by Prometheus")
        if line.label("service") == "gateway"
    )
    steps = round(up.points[-1][0] - up.points[0][0]) + 1
    return steps - sum(value == 1 for _, value in up.points)


def test_a_breaker_opens_in_the_panel_when_it_does_in_the_verdict(played: Played) -> None:
    """Within one scrape."""
    (opened_s, *_) = [
        change.at_s
        for change in played.verdict.breakers
        if (change.link, change.to_state) == (LINK, "open")
    ]
    (line,) = (
        line for line in played.show("experiment", "Breakers", STEP_S) if line.label("link") == LINK
    )
    shown_s = next(at_s for at_s, value in line.points if value == 2) - played.t0_s
    assert -0.1 <= shown_s - opened_s <= SCRAPE_S + STEP_S + LATE_S


def test_a_fault_is_drawn_where_the_verdict_has_it(played: Played) -> None:
    """The red region begins and ends with the fault, within a scrape."""
    (fault,) = played.verdict.faults
    assert fault.actual_start_s is not None
    assert fault.actual_end_s is not None
    (line,) = played.show("experiment", "annotation fault", STEP_S)
    on = [at_s - played.t0_s for at_s, value in line.points if value > 0]
    assert line.label("link") == LINK
    assert on[0] == pytest.approx(fault.actual_start_s, abs=SCRAPE_S + STEP_S + LATE_S)
    assert on[-1] == pytest.approx(fault.actual_end_s, abs=SCRAPE_S + STEP_S + LATE_S)


def test_each_phase_has_the_rates_that_the_verdict_has(played: Played) -> None:
    """Answers that are quick lie in the phase of their start: to what one scrape at each end can hold."""
    rates = {
        (line.label("phase"), line.label("answer")): line.points[0][1]
        for line in played.show("experiment", "Answers a second in each phase")
    }
    for phase in played.verdict.phases:
        length_s = phase.end_s - phase.start_s
        near = 2 * (SCRAPE_S + LATE_S) * phase.offered_rps / length_s
        for cause in phase.causes:
            if cause.mechanism in ("", "semaphore_full", "breaker_open"):
                key = (phase.phase, f"{cause.status} {cause.mechanism}")
                assert rates.get(key, 0) == pytest.approx(cause.requests / length_s, abs=near), key


def test_the_difference_to_the_baseline_names_what_the_fault_added(played: Played) -> None:
    """The breaker's 503 were not there in the baseline; 200s were, and are fewer."""
    added = {
        line.label("answer"): line.points[0][1]
        for line in played.show("experiment", "Difference to the baseline")
        if line.label("phase") == "fault"
    }
    assert added["503 breaker_open"] > 2
    assert added["200 "] < -2


def test_another_run_shows_no_answers(played: Played) -> None:
    """The mask of the run variable: what was not in the chosen run is not drawn."""
    other = replace(played.grafana, run="none")
    assert other.show(the_panel("experiment", "Answers by status and mechanism")) == []
