"""``aguante load`` and ``aguante saturate`` on the real system, as a user types them."""

import csv
import json
import subprocess
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from aguante.core.own_program import aguante_command

pytestmark = [pytest.mark.alone, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
LIMIT_S = 120
EVERYTHING = (
    "reserve=0.5", "read_event=0.1", "read_reservation=0.1",
    "reserve_sold_out=0.1", "reserve_declined=0.1", "reserve_bad=0.1",
)  # fmt: skip
RIGHT = """\
expect:
  - rate: {phase: baseline, operation: reserve, status: 200, min: 0.9}
  - rate: {phase: baseline, operation: read_reservation, status: 200, min: 0.9}
  - rate: {phase: baseline, operation: reserve_sold_out, status: 409, min: 0.9}
  - rate: {phase: baseline, operation: reserve_declined, status: 402, min: 0.9}
  - rate: {phase: baseline, operation: reserve_bad, status: 4xx, min: 1.0}
  - achieved: {min: 0.99}
"""


class Played(NamedTuple):
    """Two loads and a search that have ended."""

    runs: Path
    every_operation: subprocess.CompletedProcess[str]
    sold_out: subprocess.CompletedProcess[str]
    search: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module", autouse=True)
def _toxiproxy(toxiproxy_binary: Path) -> None:
    """Without toxiproxy-server nothing here can run."""


def aguante(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        aguante_command(*arguments),
        cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Two at a time: so little load that neither keeps the other waiting."""
    folder = tmp_path_factory.mktemp("played")
    right, few = folder / "right.yaml", folder / "few.yaml"
    right.write_text(RIGHT)
    few.write_text("expect:\n  - rate: {phase: baseline, status: 409, max: 0.5}\n")
    mix = [part for each in EVERYTHING for part in ("--mix", each)]
    commands = (
        (
            "load", "--rate", "30", "--duration", "8", "--warmup", "0", "--workers", "2", *mix, "--seed", "3",
            "--expect", str(right), "--json",
        ),
        (
            "load", "--rate", "20", "--duration", "2", "--warmup", "0", "--mix", "reserve_sold_out=1",
            "--expect", str(few), "--ci",
        ),
        (
            "saturate", "--policies", "default", "--from", "10", "--to", "20", "--step", "10", "--hold", "3",
            "--settle-in", "1", "--json",
        ),
    )  # fmt: skip
    with ThreadPoolExecutor(2) as pool:
        begun = [pool.submit(aguante, *each, "--runs", str(folder / "runs")) for each in commands]
        return Played(folder / "runs", *(each.result() for each in begun))


def test_every_operation_gets_its_right_answer_and_the_audit_holds(played: Played) -> None:
    """Two workers, six operations: thresholds met, invariants tried, JUnit and CSV agree with the verdict."""
    ended = played.every_operation
    assert ended.returncode == 0, ended.stderr
    folder = played.runs / json.loads(ended.stdout)["run_id"]
    verdict = json.loads((folder / "verdict.json").read_bytes())
    assert verdict["verdict"] == "held"
    tried = {each["name"]: each["measure"]["exposure"] for each in verdict["invariants"]}
    assert tried["acknowledged_is_kept"] > 0
    assert tried["definite_failure_never_confirmed"] > 0
    with (folder / "requests.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["seq"]) for row in rows] == list(range(len(rows)))
    assert {row["worker"] for row in rows} == {"0", "1"}
    keys = [row["idempotency_key"] for row in rows if row["operation"].startswith("reserve")]
    assert len(set(keys)) == len(keys)
    cases = ET.parse(folder / "junit.xml").getroot().iter("testcase")  # noqa: S314 - our own file
    assert sum("rate of 409" in (case.get("name") or "") for case in cases) == 1
    assert (folder / "report.html").exists()


def test_a_threshold_that_is_broken_ends_with_1(played: Played) -> None:
    """The whole of a load that asks for sold-out seats is 409: right or wrong is the threshold's to say."""
    ended = played.sold_out
    assert ended.returncode == 1, ended.stderr
    assert "Unmet: rate of 409 in baseline <= 50 %; observed 100.0 %" in ended.stdout


def test_a_search_that_reaches_no_knee_says_so(played: Played) -> None:
    """Two low levels: goodput follows, exit 2, and the page shows both."""
    ended = played.search
    assert ended.returncode == 2, ended.stderr
    found = json.loads(ended.stdout)
    levels = found["sweeps"][0]["levels"]
    assert [level["target_rps"] for level in levels] == [10, 20]
    assert all(level["goodput_rps"] >= 0.9 * level["offered_rps"] for level in levels)
    page = (played.runs / found["id"] / "saturation.html").read_text()
    assert page.count("data-goodput=") == 2
    assert "no knee was reached" in page
