"""Conversion of intents into requests."""

import json
import re
from dataclasses import replace

from load_plans import plan

from loadtests.operations import BAD_INPUTS, Call, CallFactory, phase_at
from loadtests.profiles import Choice, Intent

RESERVE = Choice(operation="reserve", event_id="event-a", user_id="user-1", quantity=2)
READ = Choice(operation="read_event", event_id="event/ä", user_id="user-1", quantity=1)


def call(choice: Choice, at_s: float = 1.0, seq: int = 3, **changed: object) -> Call:
    return CallFactory(plan(**changed)).call(Intent(seq, at_s, choice))


def test_a_reserve_posts_its_choice_with_its_own_key() -> None:
    """Body and idempotency key as in the gateway's contract."""
    made = call(RESERVE)
    assert (made.method, made.path) == ("POST", "/reserve")
    assert json.loads(made.body) == {"user_id": "user-1", "event_id": "event-a", "quantity": 2}
    assert made.headers["Content-Type"] == "application/json"
    assert made.headers["Idempotency-Key"] == made.idempotency_key == "20260101-slow-ab12-3"


def test_a_read_escapes_the_id_of_its_event() -> None:
    """Any event id stays one path segment; a read has no key."""
    made = call(READ)
    assert (made.method, made.path, made.body) == ("GET", "/events/event%2F%C3%A4", b"")
    assert made.route == "/events/{id}"
    assert made.idempotency_key == ""


def test_the_trace_context_is_sampled_and_names_the_recorded_trace() -> None:
    """W3C traceparent, version 00, flags 01, with the trace id of the record."""
    made = call(RESERVE)
    assert re.fullmatch(f"00-{made.trace_id}-[0-9a-f]{{16}}-01", made.headers["traceparent"])
    assert re.fullmatch("[0-9a-f]{32}", made.trace_id)


def test_baggage_names_run_experiment_and_the_phase_of_the_intended_start() -> None:
    """A request belongs to the phase of its intended start; ends are exclusive."""
    assert call(RESERVE, at_s=3.999).headers["baggage"] == (
        "aguante.run_id=20260101-slow-ab12,aguante.experiment=payments-slow,aguante.phase=baseline"
    )
    assert call(RESERVE, at_s=4.0).headers["baggage"].endswith("aguante.phase=fault")
    assert call(RESERVE, at_s=8.0).headers["baggage"].endswith("aguante.phase=")


def test_baggage_values_are_escaped() -> None:
    """A comma in a name cannot forge a member."""
    assert "aguante.experiment=a%2Cb%3Dc" in call(RESERVE, experiment="a,b=c").headers["baggage"]


def test_phases_are_half_open() -> None:
    """After the last phase there is none."""
    assert [phase_at(plan(), at_s) for at_s in (0, 4, 7.9, 8)] == ["baseline", "fault", "fault", ""]


def test_trace_ids_are_the_same_for_the_same_run_and_differ_between_runs() -> None:
    """Two runs with one seed must not share traces in one trace store."""
    first = call(RESERVE).trace_id
    assert first == call(RESERVE).trace_id
    assert first != call(RESERVE, run_id="20260101-slow-cd34").trace_id


def test_no_two_requests_of_a_run_share_a_trace() -> None:
    """1000 requests, 1000 trace ids."""
    factory = CallFactory(plan())
    ids = {factory.call(Intent(seq, 0.0, RESERVE)).trace_id for seq in range(1000)}
    assert len(ids) == 1000


def test_ids_depend_on_the_arrivals_number_alone() -> None:
    """Workers that share a schedule make the same ids as a single process, in any order."""
    alone, other = CallFactory(plan()), CallFactory(plan(workers=2, worker=1))
    forwards = [alone.call(Intent(seq, 0.0, RESERVE)).trace_id for seq in range(4)]
    assert [other.call(Intent(seq, 0.0, RESERVE)).trace_id for seq in (3, 1)] == [
        forwards[3],
        forwards[1],
    ]


def test_a_reservation_is_read_back_once_one_is_confirmed() -> None:
    """Until then an event is read, and recorded as such."""
    factory = CallFactory(plan())
    intent = Intent(0, 1.0, replace(RESERVE, operation="read_reservation"))
    before = factory.call(intent)
    factory.confirmed("res/1")
    after = factory.call(intent)
    assert (before.operation, before.path, before.event_id) == (
        "read_event",
        "/events/event-a",
        "event-a",
    )
    assert (after.operation, after.path, after.event_id) == (
        "read_reservation",
        "/reservations/res%2F1",
        "",
    )


def test_the_request_selects_a_sold_out_event_or_a_declined_card() -> None:
    """By event id and by user id; each is recorded under its operation."""
    sold_out = call(replace(RESERVE, operation="reserve_sold_out"), sold_out_id="gone")
    declined = call(replace(RESERVE, operation="reserve_declined"))
    assert (sold_out.operation, sold_out.event_id) == ("reserve_sold_out", "gone")
    assert json.loads(sold_out.body)["event_id"] == "gone"
    assert json.loads(declined.body)["user_id"] == "declined-user-1"
    assert sold_out.idempotency_key == declined.idempotency_key == "20260101-slow-ab12-3"


def test_every_kind_of_bad_input_occurs() -> None:
    """Over a run all kinds occur, each with its own key."""
    factory = CallFactory(plan())
    choice = replace(RESERVE, operation="reserve_bad")
    made = [factory.call(Intent(seq, 0.0, choice)) for seq in range(100)]
    assert {(each.headers["Content-Type"], each.body) for each in made} == set(BAD_INPUTS)
    assert len({each.idempotency_key for each in made}) == 100
