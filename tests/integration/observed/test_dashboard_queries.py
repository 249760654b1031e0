"""Every panel's query on a real Prometheus during a real run, and what the panels say beside verdict.json."""

from collections import Counter
from dataclasses import dataclass, replace

import pytest
from dashboard_harness import LATE_S, Grafana, Line, every_query, the_panel
from observed_harness import Observed

from aguante.run_folder.run_log import read_run_log
from aguante.verdict.verdict import Verdict

LINK = "reservations-payments"
SCRAPE_S = 1.0
STEP_S = 0.25
"""Of queries about moments: finer than a scrape, so that it adds little."""


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
def played(observed: Observed) -> Played:
    """The run that all of this package look at, while nothing else was asked of the testbed."""
    verdict, facts = observed.outcome.verdict, read_run_log(observed.outcome.folder.events)
    assert facts.epoch_ns
    grafana = Grafana(observed.testbed.prometheus, *observed.seen_s, verdict.run_id)
    return Played(verdict, grafana, facts.epoch_ns / 1e9)


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
    for line in every_run.show(the_panel("experiment", "Responses by status and mechanism")):
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
        for line in played.show("telemetry", "Scraped by Prometheus")
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
        for line in played.show("experiment", "Responses per second in each phase")
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
    assert other.show(the_panel("experiment", "Responses by status and mechanism")) == []
