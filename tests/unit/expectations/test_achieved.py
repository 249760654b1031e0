"""``achieved``: worked examples on whole ledgers."""

from pathlib import Path

import msgspec
import pytest
from synthetic_run import Story, write_run

from aguante.expectations.achieved import Achieved
from aguante.expectations.measurement import Measurement
from aguante.load_protocol.records import RequestRecord
from aguante.measure.run_evidence import open_evidence
from aguante.plan.plan import Plan
from aguante.testbed.testbed_spec import TestbedSpec


def asked(
    question: Achieved, story: Story, runs: Path, plan: Plan, shop: TestbedSpec
) -> Measurement:
    evidence = open_evidence(write_run(runs, plan, story), plan, shop)
    try:
        return question.measure(evidence)
    finally:
        evidence.connection.close()


def test_achieved_load_is_the_recorded_share_of_the_offered(
    tmp_path: Path, slow_plan: Plan, shop: TestbedSpec
) -> None:
    """1796 of the 1800 that 60 rps for 30 s offer: 99.78 %."""
    story = Story(change=lambda record: record if record.seq >= 4 else None)
    found = asked(Achieved(min=0.995), story, tmp_path, slow_plan, shop)
    assert (found.n, found.observed) == (1800, pytest.approx(1796 / 1800))
    assert found.detail == "59.9 of 60.0 requests/s, 0 shed"


def test_a_ramp_offers_its_area(tmp_path: Path, slow_plan: Plan, shop: TestbedSpec) -> None:
    """60 to 120 rps in 30 s offer 2700 requests, of which 1800 were recorded: two thirds."""
    ramp = slow_plan.load.model_copy(update={"profile": "ramp", "to_rps": 120.0})
    plan = slow_plan.model_copy(update={"load": ramp})
    found = asked(Achieved(min=0.995), Story(), tmp_path, plan, shop)
    assert (found.n, found.observed) == (2700, pytest.approx(2 / 3))


@pytest.mark.parametrize("arrivals", ["poisson", "fixed"])
def test_users_who_waited_are_held_to_the_plan(
    tmp_path: Path, slow_plan: Plan, shop: TestbedSpec, arrivals: str
) -> None:
    """A closed loop that sent 1800 of 3600 planned requests achieved half, whatever its arrivals."""
    closed = {"users": 30, "rate_rps": 120.0, "arrivals": arrivals}
    plan = slow_plan.model_copy(update={"load": slow_plan.load.model_copy(update=closed)})
    found = asked(Achieved(min=0.99), Story(), tmp_path, plan, shop)
    assert (found.n, found.observed) == (3600, pytest.approx(0.5))


def test_poisson_arrivals_offer_what_they_drew(
    tmp_path: Path, slow_plan: Plan, shop: TestbedSpec
) -> None:
    """An open loop that drew 1800 arrivals for a plan of 1830 achieved everything."""
    drawn = {"rate_rps": 61.0, "arrivals": "poisson"}
    plan = slow_plan.model_copy(update={"load": slow_plan.load.model_copy(update=drawn)})
    found = asked(Achieved(min=0.99), Story(), tmp_path, plan, shop)
    assert (found.n, found.observed) == (1800, pytest.approx(1.0))


def test_lateness_is_that_of_sending(tmp_path: Path, slow_plan: Plan, shop: TestbedSpec) -> None:
    """Every request is 1 ms late, and 2 in 100 are 31 ms late: p99 is 31 ms, however slow the responses are."""

    def late(record: RequestRecord) -> RequestRecord:
        by_s = 0.03 if record.seq % 50 == 0 else 0.0
        return msgspec.structs.replace(record, started_s=record.started_s + by_s)

    found = asked(Achieved(late_p99_ms_max=10), Story(change=late), tmp_path, slow_plan, shop)
    assert found.observed == pytest.approx(31)
