"""Validation of a load plan before anything runs."""

import math

import pytest
from load_plans import plan

from aguante.load_protocol.rates import Shape
from loadtests.check import findings, unreachable
from loadtests.operations import mix_of

BROKEN = [
    ({"rate_rps": 0.0}, "rate_rps: found 0; give a number above 0"),
    ({"rate_rps": -3.0}, "rate_rps: found -3; give a number above 0"),
    ({"rate_rps": math.nan}, "rate_rps: found nan; give a number above 0"),
    ({"rate_rps": math.inf}, "rate_rps, timeout_s: found infinity; give finite numbers"),
    ({"duration_s": -1.0}, "duration_s: found -1; give a number above 0"),
    ({"timeout_s": 0.0}, "timeout_s: found 0; give a number above 0"),
    ({"max_outstanding": 0}, "max_outstanding: found 0; give a number above 0"),
    (
        {"profile": "storm"},
        "profile: found 'storm'; one of mixed, steady, ramp, step, spike, soak, race",
    ),
    ({"arrivals": "burst"}, "arrivals: found 'burst'; one of fixed, poisson"),
    ({"event_ids": []}, "event_ids: found []; give at least one, none empty"),
    (
        {"run_id": ""},
        "run_id: found nothing; give a new one, since idempotency keys contain it",
    ),
    ({"mix": {"reserve": 0.5}}, "mix: the shares sum to 0.5; they must sum to 1"),
    ({"mix": {}}, "mix: the shares sum to 0; they must sum to 1"),
    (
        {"mix": {"buy": 1.0}},
        "mix: found operation 'buy'; one of reserve, read_event, read_reservation, reserve_sold_out, "
        "reserve_declined, reserve_bad",
    ),
    (
        {"mix": {"reserve_sold_out": 1.0}},
        "mix: reserve_sold_out needs an event without seats; give its id as sold_out_id",
    ),
    (
        {"profile": "ramp"},
        "to_rps: found nothing, expected to_rps with profile ramp; add to_rps:",
    ),
    (
        {"profile": "ramp", "shape": Shape(to_rps=9), "duration_s": math.inf},
        "duration_s: found no end, expected an end, with profile ramp; say how long it lasts: "
        "-t 60s on Locust's command line",
    ),
    (
        {"shape": Shape(racers=9)},
        "racers: found racers with profile mixed, expected one rate alone; remove racers",
    ),
    (
        {"profile": "race", "shape": Shape(racers=1)},
        "racers: found 1, expected a number of 2 or more; give a larger value",
    ),
    (
        {"profile": "spike", "shape": Shape(to_rps=9, at_s=10, for_s=1), "duration_s": 10.0},
        "at_s: found 10, expected a spike that begins before the load ends (10 s); "
        "begin it earlier, or let the load last longer",
    ),
    (
        {"mix": {"reserve": 0.5, "reserve, twice": 0.5}},
        "mix: found operation 'reserve, twice'; one of reserve, read_event, read_reservation, "
        "reserve_sold_out, reserve_declined, reserve_bad",
    ),
    ({"worker": 1}, "worker: found 1 of 1; count from 0 to one less than workers"),
    (
        {"users": -1},
        "users: found -1; give 0 for an open loop, or the number of users who wait for responses",
    ),
    (
        {"phases": [("fault", 4.0, 4.0)]},
        "phases: fault is [4, 4); its end must lie after its start, from 0 on",
    ),
    ({"base_url": "127.0.0.1:6000"}, "base_url: found '127.0.0.1:6000'; give http://host:port"),
    ({"base_url": "http://h:99999"}, "base_url: found 'http://h:99999'; give http://host:port"),
]


@pytest.mark.parametrize(("changed", "finding"), BROKEN, ids=[text for _, text in BROKEN])
def test_an_invalid_plan_says_what_is_wrong_and_how_to_fix_it(
    changed: dict[str, object], finding: str
) -> None:
    """One finding for one error."""
    assert findings(plan(**changed)) == [finding]


def test_a_valid_plan_has_no_findings() -> None:
    """Not even when the binary sum of the shares is not exactly 1."""
    assert findings(plan()) == []
    assert findings(plan(mix={"reserve": 0.1 + 0.2, "read_event": 0.7})) == []


def test_all_errors_of_a_plan_are_found_at_once() -> None:
    """Five errors, five findings."""
    assert len(findings(plan(rate_rps=-1.0, profile="storm", mix={"buy": 1.5}))) == 5


def test_a_negative_share_is_refused_even_when_the_sum_is_1() -> None:
    """1.5 and -0.5 sum to 1, and both are reported."""
    assert findings(plan(mix={"reserve": 1.5, "read_event": -0.5})) == [
        "mix: reserve has share 1.5; give 0 to 1",
        "mix: read_event has share -0.5; give 0 to 1",
    ]


def test_a_closed_port_is_unreachable_and_the_message_says_how_to_fix_it() -> None:
    """Port 1 of loopback is closed."""
    assert "nothing answers at http://127.0.0.1:1 " in unreachable("http://127.0.0.1:1")
    assert "aguante up" in unreachable("http://127.0.0.1:1")


def test_an_operation_given_twice_in_locusts_mix_is_reported() -> None:
    """The second becomes an unknown name, or it would silently win."""
    assert mix_of("reserve=0.5, reserve=1") == {"reserve": 0.5, "reserve, twice": 1.0}
