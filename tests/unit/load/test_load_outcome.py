"""What answers say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.operations import Call
from loadtests.outcome import Outcome, answer, no_answer, record
from loadtests.profiles import Choice, Intent

PROBLEM = {
    "type": "urn:aguante:problem:breaker_open",
    "title": "x",
    "status": 503,
    "detail": "x",
    "origin": "reservations",
    "link": "reservations-payments",
    "mechanism": "breaker_open",
    "definite": True,
    "settled": False,
    "reservation_id": "res-1",
    "trace_id": "0" * 32,
}


def test_a_problem_says_where_a_failure_came_from() -> None:
    """Origin, link, mechanism, definite, settled and reservation are taken from the body."""
    assert answer(503, json.dumps(PROBLEM).encode()) == Outcome(
        status=503,
        origin="reservations",
        link="reservations-payments",
        mechanism="breaker_open",
        definite=True,
        settled=False,
        reservation_id="res-1",
    )


def test_null_members_of_a_problem_are_empty() -> None:
    """A failure at the gateway's own door has no link and no reservation."""
    body = json.dumps(PROBLEM | {"link": None, "reservation_id": None}).encode()
    assert (answer(429, body).link, answer(429, body).reservation_id) == ("", "")


def test_a_confirmed_reservation_is_named_and_nothing_is_blamed() -> None:
    """A 200 keeps the reservation's id alone."""
    body = json.dumps({"reservation_id": "res-2", "state": "CONFIRMED", "origin": "x"}).encode()
    assert answer(200, body) == Outcome(status=200, reservation_id="res-2")


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad Gateway</html>", b"[]", b'"x"', b'{"origin": 7}', b"\xff"]
)
def test_a_failure_without_a_problem_stays_unattributed(body: bytes) -> None:
    """Whatever is not problem+json leaves the status alone: nobody is guessed."""
    assert answer(502, body) == Outcome(status=502)


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_can_be_read(status: int, body: bytes) -> None:
    """No body whatever makes the generator stumble."""
    assert answer(status, body).status == status


def test_silence_is_the_clients_own_finding() -> None:
    """Status 0, origin client."""
    assert no_answer("client_timeout") == Outcome(
        status=0, origin="client", mechanism="client_timeout"
    )


def test_latency_runs_from_the_intended_start() -> None:
    """A request that was sent late counts its waiting."""
    intent = Intent(3, 1.0, Choice("read_event", "event-a", "user-1", 1))
    call = Call(
        "read_event", "GET", "/events/event-a", "/events/{id}", "ab" * 16, event_id="event-a"
    )
    row = record(intent, call, Outcome(status=200), started_s=1.5, ended_s=2.25)
    assert (row.intended_s, row.started_s, row.latency_ms) == (1.0, 1.5, 1250.0)
    assert (row.seq, row.event_id, row.trace_id) == (3, "event-a", "ab" * 16)
