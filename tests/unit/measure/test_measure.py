"""A whole run folder, measured. ``synthetic_run`` describes its course."""

from pathlib import Path

import msgspec
import pytest
from synthetic_run import LINK, Span, Story, span, write_run

from aguante.expectations.amplification import LinkAmplification
from aguante.expectations.breaker import BreakerTransition
from aguante.load_protocol.records import RequestRecord
from aguante.measure.measure_run import measure
from aguante.measure.measures import Measures, PhasePushes
from aguante.plan.plan import Plan
from aguante.run_folder.events import PhasesPublished
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import InvariantSpec, TestbedSpec

PHASES = {"warmup": 120, "baseline": 360, "fault": 720, "recovery": 600}


class Lab:
    """Writes a run and measures it."""

    def __init__(self, runs: Path, plan: Plan, shop: TestbedSpec) -> None:
        self.runs, self.plan, self.shop = runs, plan, shop

    def folder(self, story: Story | None = None) -> RunFolder:
        return write_run(self.runs, self.plan, story)

    def measure(self, story: Story | None = None) -> Measures:
        return measure(self.folder(story), self.plan, self.shop)


@pytest.fixture
def lab(tmp_path: Path, slow_plan: Plan, shop: TestbedSpec) -> Lab:
    return Lab(tmp_path, slow_plan, shop)


@pytest.fixture(scope="module")
def measures(
    tmp_path_factory: pytest.TempPathFactory,
    slow_plan: Plan,
    shop: TestbedSpec,
) -> Measures:
    """The unchanged run, measured once."""
    return Lab(tmp_path_factory.mktemp("runs"), slow_plan, shop).measure()


def observed(measures: Measures) -> list[float | None]:
    return [None if a.observed is None else round(a.observed, 3) for a in measures.measurements]


def test_a_request_belongs_to_the_phase_of_its_intended_start(measures: Measures) -> None:
    """Every phase has its planned number of requests."""
    assert {each.phase: each.requests for each in measures.phases} == PHASES


def test_a_request_that_was_sent_late_stays_in_its_phase(lab: Lab) -> None:
    """A generator that stalls for two seconds moves no request into another phase."""

    def stall(record: RequestRecord) -> RequestRecord:
        return msgspec.structs.replace(record, started_s=record.started_s + 2)

    measures = lab.measure(Story(change=stall))
    assert {each.phase: each.requests for each in measures.phases} == PHASES
    assert measures.load.lateness_p50_ms == pytest.approx(2001)


def test_every_expectation_is_measured(measures: Measures) -> None:
    """Shares, a percentile, and the times of breaker and recovery, in the plan's order."""
    assert observed(measures) == [1, 0.062, 0.556, 1, 31.953, 3.09, 2, 1, 1, 1]
    assert not [each for each in measures.measurements if each.unknown_because]


def test_only_the_baseline_has_an_interval_of_a_rate(measures: Measures) -> None:
    """Outcomes of a fault phase share one breaker, so their rate is a census (design, Part 3)."""
    baseline, fault = measures.measurements[0], measures.measurements[1]
    assert baseline.low == pytest.approx(0.9894, abs=5e-5)
    assert (fault.low, fault.high) == (None, None)


def test_causes_are_counted_by_the_problem_body(measures: Measures) -> None:
    """Status, origin, link and mechanism together make a cause; successes come first."""
    fault = next(each for each in measures.phases if each.phase == "fault")
    seen = [(c.status, c.origin, c.link, c.mechanism, c.requests) for c in fault.causes]
    assert seen == [
        (200, "", "", "", 149),
        (503, "reservations", LINK, "breaker_open", 400),
        (429, "gateway", "", "semaphore_full", 126),
        (504, "reservations", LINK, "timeout", 45),
    ]


def test_goodput_and_offered_are_per_second_of_the_phase(measures: Measures) -> None:
    """60 rps offered, of which 149 in 12 s were good."""
    fault = measures.phases[2]
    assert (fault.offered_rps, round(fault.goodput_rps, 3)) == (60, 12.417)


def test_percentiles_need_ten_samples_beyond_them(measures: Measures) -> None:
    """120 warm-up requests support a median, and no p95 or p99."""
    values = [each.value_ms is not None for each in measures.phases[0].latency_of_200]
    assert values == [True, False, False]


def test_the_breakers_timeline_comes_from_span_events(measures: Measures) -> None:
    """The breaker opened, half-opened and closed once."""
    seen = [(round(b.at_s, 2), b.from_state, b.to_state) for b in measures.breakers]
    assert seen == [
        (11.1, "closed", "open"),
        (21.47, "open", "half_open"),
        (21.5, "half_open", "closed"),
    ]
    assert isinstance(measures.breakers[0], BreakerTransition)
    assert measures.breakers[0].instance == "reservations-1"


def test_attempts_calls_and_refusals_of_a_link(lab: Lab) -> None:
    """Attempt 1 counts as a call, a rejected call has no attempt, and database statements do not count."""
    folder = lab.folder()
    plain = measure(folder, lab.plan, lab.shop).amplification
    assert plain == (LinkAmplification(link=LINK, calls=787, attempts=787, rejected=468),)
    record = next(iter(records_of(folder)))
    again = {"service": "reservations", "kind": "client", "link": LINK, "name": "POST /pay"}
    statement = again | {"link": "reservations-db", "db_system": "postgresql", "attempt": 1}
    more = [
        span(record, **again, attempt=2),
        span(record, **again, attempt=3),
        span(record, **statement),
    ]
    lab.runs = lab.runs / "more"
    seen = lab.measure(Story(spans=more)).amplification
    assert seen == (LinkAmplification(link=LINK, calls=787, attempts=789, rejected=468),)


def records_of(folder: RunFolder) -> list[RequestRecord]:
    lines = folder.records.read_bytes().splitlines()
    return [msgspec.json.decode(line, type=RequestRecord) for line in lines]


def test_every_failure_is_attributed_and_confirmed_by_its_trace(measures: Measures) -> None:
    """The problem body names the mechanism, and the spans agree."""
    seen = measures.attribution
    assert (seen.failures, seen.attributed, seen.confirmed_by_spans) == (639, 639, 639)
    assert seen.contradicted_by_spans == 0
    assert seen.unexplained == ()


def test_a_failure_without_its_mechanism_in_the_trace_is_contradicted(lab: Lab) -> None:
    """The trace has the deciding service's span, but not the mechanism."""
    trace = f"{480:032x}"

    def deny(each: Span) -> Span:
        return {**each, "error_type": "", "events": "[]"} if each["trace_id"] == trace else each

    seen = lab.measure(Story(change_span=deny)).attribution
    assert (seen.confirmed_by_spans, seen.contradicted_by_spans) == (638, 1)


def test_a_failure_without_a_mechanism_is_unexplained(lab: Lab) -> None:
    """A response that does not say where it came from is counted and listed."""

    def mute(record: RequestRecord) -> RequestRecord:
        if record.status != 504:
            return record
        return msgspec.structs.replace(record, mechanism="gremlins")

    measures = lab.measure(Story(change=mute))
    assert measures.attribution.attributed == 639 - 45
    assert [(c.status, c.requests) for c in measures.attribution.unexplained] == [(504, 45)]
    assert observed(measures)[8] == pytest.approx(0.93, abs=5e-3)


def test_the_fault_was_observed_by_its_caller(measures: Measures) -> None:
    """Attempts in the actual window lasted at least latency minus jitter, or timed out."""
    fault = measures.faults[0]
    assert (fault.attempts_in_window, fault.attempts_bitten) == (44, 44)
    assert fault.injection_observed
    assert fault.undone_verified
    assert (fault.actual_start_s, fault.actual_end_s) == (8.01, 20.0)


def test_a_fault_that_no_attempt_shows_is_not_observed(lab: Lab) -> None:
    """The toxic was applied, but every attempt was as fast as before."""

    def fast(each: Span) -> Span:
        end_ns = int(str(each["start_ns"])) + 20_000_000
        return {**each, "end_ns": end_ns, "error_type": ""}

    fault = lab.measure(Story(change_span=fast)).faults[0]
    assert (fault.attempts_in_window, fault.attempts_bitten) == (44, 0)
    assert not fault.injection_observed
    assert "0 of 44 attempts on reservations-payments show it" in fault.evidence


def test_invariants_hold_with_their_exposure(measures: Measures) -> None:
    """Each reports how many rows could have violated it."""
    seen = {each.name: (each.exposure, each.violations, each.error) for each in measures.invariants}
    assert seen["no_stray_charge"] == (45, 0, "")
    assert seen["confirmed_has_one_charge"] == (742, 0, "")
    assert all(exposure > 0 for exposure, _, _ in seen.values())
    assert {(violations, error) for _, violations, error in seen.values()} == {(0, "")}


def test_a_violation_shows_its_rows_and_counts_them_all(lab: Lab) -> None:
    """At most 20 rows are kept; all are counted."""
    broken = {m.name: m for m in lab.measure(Story(stray_charges=25)).invariants if m.violations}
    assert list(broken) == ["no_stray_charge"]
    stray = broken["no_stray_charge"]
    assert (stray.violations, len(stray.rows)) == (25, 20)
    assert stray.columns == ("reservation_id", "charge_state", "saga_state")
    assert stray.rows[0][1:] == ("CAPTURED", "")


def test_an_invariant_whose_table_is_missing_cannot_be_read(lab: Lab) -> None:
    """That invariant has an error and does not hold; the others are checked."""
    folder = lab.folder()
    (folder.tables / "payments.charges.csv").unlink()
    seen = measure(folder, lab.plan, lab.shop).invariants
    unreadable = {each.name for each in seen if each.error}
    assert unreadable == {"charge_is_the_price", "confirmed_has_one_charge", "no_stray_charge"}
    assert all("payments.charges.csv" in each.error for each in seen if each.error)


def test_without_tables_no_invariant_can_be_read(lab: Lab) -> None:
    """A run that ended before the databases were read has no invariant."""
    folder = lab.folder()
    (folder.tables / "schema.json").unlink()
    seen = measure(folder, lab.plan, lab.shop).invariants
    assert all(each.error for each in seen)


def test_recovery_starts_with_the_first_of_three_good_seconds(measures: Measures) -> None:
    """The breaker closed 1.5 s after the fault, so the third second is the first good one."""
    assert (measures.recovery.outcome, measures.recovery.after_s) == ("recovered", 2.0)


def test_a_system_that_stays_broken_is_metastable(lab: Lab) -> None:
    """The fault is gone, but goodput stays as low as during the fault."""
    seen = lab.measure(Story(closed_s=99.0)).recovery
    assert (seen.outcome, seen.after_s) == ("metastable", None)


def test_a_second_without_requests_is_not_good(lab: Lab) -> None:
    """No requests after the fault do not count as recovery."""

    def silence(record: RequestRecord) -> RequestRecord | None:
        return None if 20 <= record.intended_s < 25 else record

    assert lab.measure(Story(change=silence)).recovery.after_s == 5.0


def test_null_and_empty_text_are_distinguished(lab: Lab, tmp_path: Path) -> None:
    """In PostgreSQL's CSV an empty field is NULL, and two quotes are empty text."""
    sql = tmp_path / "nameless.sql"
    sql.write_text(
        "-- exposure: SELECT count(*) FROM payments.charges WHERE user_id = ''\n"
        "SELECT * FROM payments.charges WHERE user_id IS NULL"
    )
    lab.shop = lab.shop.model_copy(
        update={"invariants": (InvariantSpec(name="nameless", sql=sql),)}
    )
    charges = [("r-1", "", 2500, "CAPTURED"), ("r-2", '""', 2500, "CAPTURED"), ("r-3", "u", 1, "X")]
    (seen,) = lab.measure(Story(rows={"payments.charges": list(charges)})).invariants
    assert (seen.exposure, seen.violations, seen.error) == (1, 1, "")
    assert seen.rows == (("r-1", "", "2500", "CAPTURED"),)


def test_an_invariant_without_exposure_is_an_error(lab: Lab, tmp_path: Path) -> None:
    """A query that does not count what could violate it proves nothing."""
    sql = tmp_path / "silent.sql"
    sql.write_text("SELECT 1 WHERE false")
    lab.shop = lab.shop.model_copy(update={"invariants": (InvariantSpec(name="silent", sql=sql),)})
    (seen,) = lab.measure().invariants
    assert seen.error == "silent.sql: found no comment line '-- exposure: SELECT ...'; fix: add one"


def test_a_healed_fault_ends_when_it_is_verified(lab: Lab) -> None:
    """After a run that ended early, the verification is the only known end."""
    assert lab.measure(Story(with_undone=False)).faults[0].actual_end_s == 20.01


def test_seconds_without_load_are_not_metastable(lab: Lab) -> None:
    """The recovery of a run that was stopped two seconds after its fault is unknown."""
    story = Story(stopped_s=22.5, change=lambda r: r if r.intended_s < 22.5 else None)
    measures = lab.measure(story)
    assert measures.recovery.outcome == "unknown"
    assert measures.stopped == "stopped by a signal"


def test_achieved_load_is_recorded_and_offered_load_is_planned(measures: Measures) -> None:
    """1800 requests in 30 s, all achieved, each 1 ms late."""
    load = measures.load
    assert (load.offered, load.offered_rps, load.achieved_rps) == (1800, 60, 60)
    assert load.lateness_p99_ms == pytest.approx(1.0)


def test_a_generator_that_died_shows_as_a_shortfall(lab: Lab) -> None:
    """The offered load is the plan's if the generator reports nothing."""
    story = Story(change=lambda r: r if r.intended_s < 15 else None, with_load_event=False)
    load = lab.measure(story).load
    assert (load.offered_rps, load.achieved_rps) == (60, 30)


def test_a_torn_last_record_is_cut(lab: Lab) -> None:
    """An incomplete line of a killed writer is not a request."""
    assert sum(p.requests for p in lab.measure(Story(cut_last_record=True)).phases) == 1800


def test_a_broken_record_inside_the_ledger_is_an_error(lab: Lab) -> None:
    """A damaged line inside the ledger is not skipped."""
    folder = lab.folder()
    lines = folder.records.read_bytes().split(b"\n", 1)
    folder.records.write_bytes(lines[0] + b"\n{broken\n" + lines[1])
    with pytest.raises(EvidenceError, match="cannot be read"):
        measure(folder, lab.plan, lab.shop)


def test_a_line_that_is_not_an_event_is_an_error(lab: Lab) -> None:
    """The message names file and line."""
    folder = lab.folder()
    folder.events.write_text('{"kind": "t0", "epoch_ns": 1}\n{"kind": "party"}\n')
    with pytest.raises(EvidenceError, match=r"events\.jsonl:2: not a run event"):
        measure(folder, lab.plan, lab.shop)


def test_pushes_to_prometheus_are_counted_where_there_is_one(lab: Lab) -> None:
    """Without a Prometheus they are unknown."""
    folder = lab.folder()
    assert measure(folder, lab.plan, lab.shop).phase_pushes is None
    with folder.events.open("a") as file:
        file.write(PhasesPublished(taken=28, failed=2).model_dump_json() + "\n")
    measures = measure(folder, lab.plan, lab.shop)
    assert measures.phase_pushes == PhasePushes(taken=28, failed=2)


def test_dropped_spans_make_breakers_and_attempts_unknown(lab: Lab) -> None:
    """Incomplete traces may lack the evidence."""
    seen = lab.measure(Story(spans_dropped=3)).measurements
    assert {at: each.unknown_because for at, each in enumerate(seen) if each.unknown_because} == {
        5: "3 spans were dropped",
        9: "3 spans were dropped",
    }


def test_without_spans_a_breaker_is_unknown(lab: Lab) -> None:
    """Without a traced call, nothing is known about the breaker, and no fault was observed."""
    measures = lab.measure(Story(with_spans=False))
    assert measures.measurements[5].unknown_because == "no call on reservations-payments was traced"
    assert not measures.faults[0].injection_observed


def test_an_empty_folder_is_measured_as_nothing(lab: Lab) -> None:
    """A run that ended before it began has no data, so every measurement is unknown."""
    folder = RunFolder.create(lab.runs, "empty")
    measures = measure(folder, lab.plan, lab.shop)
    assert all(each.unknown_because for each in measures.measurements)
    assert measures.settled is None
    assert [p.requests for p in measures.phases] == [0, 0, 0, 0]
    assert measures.recovery.outcome == "unknown"


def test_samples_show_each_cause_once_and_two_good_traces(measures: Measures) -> None:
    """The first trace of each cause in the fault phase, then successful ones of baseline and recovery."""
    assert [(s.status, s.mechanism) for s in measures.samples] == [
        (504, "timeout"),
        (429, "semaphore_full"),
        (503, "breaker_open"),
        (200, ""),
        (200, ""),
    ]
    slow = measures.samples[0]
    assert [each.kind for each in slow.spans] == ["server", "server", "client"]
    events = slow.spans[1].events
    assert events[0][1].startswith("breaker.transition aguante.link=reservations-payments")


def test_each_second_of_the_run_is_measured(measures: Measures) -> None:
    """30 seconds with 60 requests each."""
    assert [each.second for each in measures.seconds] == list(range(30))
    assert {sum(c.requests for c in each.causes) for each in measures.seconds} == {60}
    assert measures.latency[8].p95_ms == pytest.approx(3018.7, abs=1)


def test_causes_are_in_the_order_of_their_first_response(measures: Measures) -> None:
    """429 comes after a second, 504 after three, 503 once the breaker is open."""
    seen = [(s.status, round(s.first_after_s, 1)) for s in measures.story if s.status != 200]
    assert seen == [(429, 1.0), (504, 3.0), (503, 3.1)]


def test_measures_are_read_back_as_they_were_written(measures: Measures) -> None:
    """measures.json round-trips."""
    assert Measures.model_validate_json(measures.model_dump_json()) == measures


def test_only_named_invariants_are_measured(lab: Lab) -> None:
    """An experiment may name some of them."""
    lab.plan = lab.plan.model_copy(update={"invariants": ("seats_add_up",)})
    assert [each.name for each in lab.measure().invariants] == ["seats_add_up"]
