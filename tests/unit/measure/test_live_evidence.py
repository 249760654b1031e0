"""A run's requests while it lasts: each is read once, and measurements equal those of the finished file."""

from pathlib import Path

import pytest
from synthetic_run import write_run

from aguante.expectations.registry import KINDS
from aguante.measure.live_evidence import LiveEvidence
from aguante.measure.run_evidence import open_evidence
from aguante.plan.plan import Plan
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import TestbedSpec


class Played:
    """A finished run whose ledger is written again, a piece at a time."""

    def __init__(self, runs: Path, plan: Plan, shop: TestbedSpec) -> None:
        self.plan, self.shop = plan, shop
        self.folder: RunFolder = write_run(runs, plan)
        self.whole = self.folder.records.read_bytes()
        self.folder.records.unlink()
        self.live = LiveEvidence(self.folder, plan, shop)

    def write(self, first: int, end: int) -> None:
        with self.folder.records.open("ab") as file:
            file.write(self.whole[first:end])

    def count(self) -> int:
        (n,) = self.live.refresh().row("SELECT count(*) FROM requests")
        return int(n)


@pytest.fixture
def played(tmp_path: Path, slow_plan: Plan, shop: TestbedSpec) -> Played:
    return Played(tmp_path, slow_plan, shop)


def test_measurements_equal_those_of_the_file_so_far(played: Played, slow_plan: Plan) -> None:
    """Rates, latencies and goodput, at five points of one run."""
    asked = [each.asked for each in slow_plan.expect if each.asked.live]
    assert {type(each) for each in asked} == {each for each in KINDS.values() if each.live}
    step = len(played.whole) // 5 + 1
    for first in range(0, len(played.whole), step):
        played.write(first, first + step)
        live = played.live.refresh()
        anew = open_evidence(played.folder, played.plan, played.shop)
        assert [each.measure(live) for each in asked] == [each.measure(anew) for each in asked]
        anew.connection.close()


def test_requests_are_read_once(played: Played) -> None:
    """The part of the file that was read may be overwritten."""
    half = played.whole.index(b"\n", len(played.whole) // 2) + 1
    played.write(0, half)
    before = played.count()
    with played.folder.records.open("r+b") as file:
        file.write(b"x" * (half - 1))
    played.write(half, len(played.whole))
    assert 0 < before < played.count() == played.whole.count(b"\n")


def test_an_incomplete_line_is_read_when_it_is_complete(played: Played) -> None:
    """The generator may be writing it."""
    first = played.whole.index(b"\n") + 1
    played.write(0, first + 10)
    assert played.count() == 1
    played.write(first + 10, len(played.whole))
    assert played.count() == played.whole.count(b"\n")


def test_a_run_may_have_no_requests_yet(played: Played) -> None:
    """Its file is missing or empty."""
    assert played.count() == 0
    played.write(0, 0)
    assert played.count() == 0


def test_a_line_that_is_not_a_record_is_an_error(played: Played) -> None:
    """The message names the file."""
    played.folder.records.write_bytes(b"nonsense\n")
    with pytest.raises(EvidenceError, match=r"requests\.jsonl"):
        played.live.refresh()
