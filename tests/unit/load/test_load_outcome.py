"""The outcome of a request, from its response or from the lack of one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.operations import Call
from loadtests.outcome import Outcome, from_response, no_response, record
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


def test_a_problem_names_the_origin_of_a_failure() -> None:
    """Origin, link, mechanism, definite, settled and reservation come from the body."""
    assert from_response(503, json.dumps(PROBLEM).encode()) == Outcome(
        status=503,
        origin="reservations",
        link="reservations-payments",
        mechanism="breaker_open",
        definite=True,
        settled=False,
        reservation_id="res-1",
    )


def test_null_members_of_a_problem_are_empty() -> None:
    """A rejection by the gateway itself has no link and no reservation."""
    body = json.dumps(PROBLEM | {"link": None, "reservation_id": None}).encode()
    assert (from_response(429, body).link, from_response(429, body).reservation_id) == ("", "")


def test_a_confirmed_reservation_keeps_its_id_and_no_origin() -> None:
    """The outcome of a 200 has a status and a reservation id only."""
    body = json.dumps({"reservation_id": "res-2", "state": "CONFIRMED", "origin": "x"}).encode()
    assert from_response(200, body) == Outcome(status=200, reservation_id="res-2")


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad Gateway</html>", b"[]", b'"x"', b'{"origin": 7}', b"\xff"]
)
def test_a_failure_without_a_problem_stays_unattributed(body: bytes) -> None:
    """Without problem+json the outcome has a status only."""
    assert from_response(502, body) == Outcome(status=502)


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_response_can_be_read(status: int, body: bytes) -> None:
    """No body raises an error."""
    assert from_response(status, body).status == status


def test_a_missing_response_has_the_client_as_origin() -> None:
    """Status 0, origin client."""
    assert no_response("client_timeout") == Outcome(
        status=0, origin="client", mechanism="client_timeout"
    )


def test_latency_counts_from_the_intended_start() -> None:
    """The latency of a late request includes its delay."""
    intent = Intent(3, 1.0, Choice("read_event", "event-a", "user-1", 1))
    call = Call(
        "read_event", "GET", "/events/event-a", "/events/{id}", "ab" * 16, event_id="event-a"
    )
    row = record(intent, call, Outcome(status=200), started_s=1.5, ended_s=2.25)
    assert (row.intended_s, row.started_s, row.latency_ms) == (1.0, 1.5, 1250.0)
    assert (row.seq, row.event_id, row.trace_id) == (3, "event-a", "ab" * 16)
