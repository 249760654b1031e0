from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from services.kit.failures.failed import CallFailed, DatabaseFailed, problem_from
from services.kit.failures.problem import STATUS_OF, Mechanism, Problem, parse_problem

TESTBED = Path(__file__).parents[3] / "testbed.yaml"


def test_mechanisms_are_those_of_the_testbed() -> None:
    """The closed list is owned by testbed.yaml; order included, so that a diff is readable."""
    listed = YAML(typ="safe", pure=True).load(TESTBED)["mechanisms"]
    assert [mechanism.value for mechanism in Mechanism] == listed


def test_every_mechanism_has_a_status() -> None:
    """No mechanism is without a status of the contract."""
    assert set(STATUS_OF) == set(Mechanism)
    contract = {400, 402, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503, 504}
    assert set(STATUS_OF.values()) == contract


def test_body_says_everything_the_contract_lists() -> None:
    """A rendered problem has each member, also those that are null."""
    problem = Problem(Mechanism.SOLD_OUT, "No seats are left.", reservation_id="r-1")
    body = msgspec.json.decode(problem.body("inventory", "ab" * 16))
    assert body == {
        "type": "urn:aguante:problem:sold_out",
        "title": "Conflict",
        "status": 409,
        "detail": "No seats are left.",
        "origin": "inventory",
        "link": None,
        "mechanism": "sold_out",
        "definite": True,
        "settled": True,
        "reservation_id": "r-1",
        "trace_id": "ab" * 16,
    }


def test_503_and_429_always_say_when_to_come_back() -> None:
    """Whoever raises a 503 or 429 need not think of Retry-After."""
    for mechanism in Mechanism:
        wanted = 1 if STATUS_OF[mechanism] in (429, 503) else None
        assert Problem(mechanism, "").retry_after_s == wanted


def test_a_callees_problem_survives_the_trip() -> None:
    """What one service renders the next reads, with the same fields."""
    sent = Problem(
        Mechanism.BREAKER_OPEN,
        "d",
        origin="reservations",
        link="reservations-payments",
        definite=True,
        settled=False,
        reservation_id="r",
    )
    read = parse_problem(503, sent.body("reservations", ""), "2")
    assert read is not None
    assert vars(read) == {
        **vars(sent),
        "retry_after_s": 2.0,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Bad Gateway",
        b"[]",
        b'{"mechanism": "timeout"}',
        b'{"mechanism": "gremlins", "origin": "x"}',
        b'{"mechanism": "timeout", "origin": 7}',
        b"\xff\xfe",
        b'{"origin": "x", "mechanism": "timeout", "detail": "' + b"x" * 20_000 + b'"}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_broken_problem_body_is_none(body: bytes) -> None:
    """Bodies that are no problem, name no known mechanism, or are too long, are not believed."""
    assert parse_problem(502, body) is None


@given(body=st.binary(max_size=200))
def test_no_body_makes_the_parser_raise(body: bytes) -> None:
    """Whatever a callee sends, reading it does not fail."""
    parse_problem(500, body)


def test_what_a_callee_leaves_out_is_read_carefully() -> None:
    """A problem that does not say definite or settled is taken as neither."""
    read = parse_problem(504, b'{"mechanism": "timeout", "origin": "payments"}')
    assert read is not None
    assert (read.definite, read.settled) == (False, False)


def test_a_callees_problem_is_passed_on_with_origin_link_and_mechanism() -> None:
    """The gateway's answer names the link that failed, two hops away."""
    said = Problem(
        Mechanism.TIMEOUT, "d", origin="reservations", link="reservations-payments", settled=False
    )
    failure = CallFailed(said.mechanism, True, said.link, said.origin, status=504, problem=said)
    told = problem_from(failure)
    assert (told.status, told.origin, told.link) == (504, "reservations", "reservations-payments")
    assert (told.definite, told.settled) == (True, False)


def test_a_callees_internal_error_becomes_502() -> None:
    """500 is for the service that broke; its caller responds with 502."""
    said = Problem(Mechanism.INTERNAL_ERROR, "d", origin="inventory", definite=False)
    failure = CallFailed(said.mechanism, False, None, said.origin, status=500, problem=said)
    assert problem_from(failure).status == 502


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_our_own_failures_get_the_contracts_status(mechanism: Mechanism) -> None:
    """A failure that no callee explained has the mechanism's status, our origin, and advice."""
    told = problem_from(DatabaseFailed(mechanism, False, "payments-db", "payments", "why"))
    expected = 502 if mechanism is Mechanism.INTERNAL_ERROR else STATUS_OF[mechanism]
    assert (told.status, told.origin, told.link) == (expected, "payments", "payments-db")
    assert told.detail.endswith("(why)")
    assert not told.settled
