"""``aguante load`` and ``aguante saturate`` on the real system, from the command line."""

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from aguante_process import run_aguante
from real_runs import LIMIT_S, real_runs

EVERY_OPERATION = (
    "reserve=0.5", "read_event=0.1", "read_reservation=0.1",
    "reserve_sold_out=0.1", "reserve_declined=0.1", "reserve_bad=0.1",
)  # fmt: skip
EXPECTED = """\
expect:
  - rate: {phase: baseline, operation: reserve, status: 200, min: 0.9}
  - rate: {phase: baseline, operation: read_reservation, status: 200, min: 0.9}
  - rate: {phase: baseline, operation: reserve_sold_out, status: 409, min: 0.9}
  - rate: {phase: baseline, operation: reserve_declined, status: 402, min: 0.9}
  - rate: {phase: baseline, operation: reserve_bad, status: 4xx, min: 1.0}
  - achieved: {min: 0.99}
"""
FEW_SOLD_OUT = "expect:\n  - rate: {phase: baseline, status: 409, max: 0.5}\n"


@dataclass(frozen=True)
class EndedLoad:
    """A command that has ended, and the folder of its runs."""

    exit_code: int
    stdout: str
    stderr: str
    runs: Path


def ended(folder: Path, *words: str) -> EndedLoad:
    runs = folder / "runs"
    done = run_aguante(*words, "--runs", runs, limit_s=LIMIT_S)
    return EndedLoad(done.returncode, done.stdout, done.stderr, runs)


def expecting(folder: Path, thresholds: str) -> tuple[str, str]:
    """The option for a file of thresholds."""
    path = folder / "thresholds.yaml"
    path.write_text(thresholds)
    return "--expect", str(path)


def load_every_operation(folder: Path) -> EndedLoad:
    mix = [part for each in EVERY_OPERATION for part in ("--mix", each)]
    return ended(
        folder, "load", "--rate", "30", "--duration", "8", "--warmup", "0", "--workers", "2", *mix,
        "--seed", "3", *expecting(folder, EXPECTED), "--json",
    )  # fmt: skip


def load_sold_out(folder: Path) -> EndedLoad:
    return ended(
        folder, "load", "--rate", "20", "--duration", "2", "--warmup", "0", "--mix", "reserve_sold_out=1",
        *expecting(folder, FEW_SOLD_OUT), "--ci",
    )  # fmt: skip


def search(folder: Path) -> EndedLoad:
    return ended(
        folder, "saturate", "--policies", "default", "--from", "10", "--to", "20", "--step", "10",
        "--hold", "3", "--settle-in", "1", "--json",
    )  # fmt: skip


Loads = Mapping[str, EndedLoad]
loads = real_runs("loads", {"every operation": load_every_operation, "sold out": load_sold_out})
searches = real_runs("searches", {"no knee": search})


def test_every_operation_gets_its_expected_response_and_the_audit_holds(loads: Loads) -> None:
    """Two workers, six operations: thresholds met, invariants checked, JUnit and CSV agree with the verdict."""
    load = loads["every operation"]
    assert load.exit_code == 0, load.stderr
    folder = load.runs / json.loads(load.stdout)["run_id"]
    verdict = json.loads((folder / "verdict.json").read_bytes())
    assert verdict["verdict"] == "held"
    exposure = {each["name"]: each["measure"]["exposure"] for each in verdict["invariants"]}
    assert exposure["acknowledged_is_kept"] > 0
    assert exposure["definite_failure_never_confirmed"] > 0
    with (folder / "requests.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["seq"]) for row in rows] == list(range(len(rows)))
    assert {row["worker"] for row in rows} == {"0", "1"}
    keys = [row["idempotency_key"] for row in rows if row["operation"].startswith("reserve")]
    assert len(set(keys)) == len(keys)
    cases = ET.parse(folder / "junit.xml").getroot().iter("testcase")  # noqa: S314 - our own file
    assert sum("rate of 409" in (case.get("name") or "") for case in cases) == 1
    assert (folder / "report.html").exists()


def test_a_load_that_misses_a_threshold_ends_with_1(loads: Loads) -> None:
    """A load on sold-out events gets only 409, more than its threshold allows."""
    load = loads["sold out"]
    assert load.exit_code == 1, load.stderr
    assert "Unmet: rate of 409 in baseline <= 50 %; observed 100.0 %" in load.stdout


@pytest.mark.long("a search plays a load per level")
def test_a_search_that_reaches_no_knee_reports_it(searches: Loads) -> None:
    """Two low levels: goodput follows, exit 2, and the page shows both."""
    load = searches["no knee"]
    assert load.exit_code == 2, load.stderr
    found = json.loads(load.stdout)
    levels = found["sweeps"][0]["levels"]
    assert [level["target_rps"] for level in levels] == [10, 20]
    assert all(level["goodput_rps"] >= 0.9 * level["offered_rps"] for level in levels)
    page = (load.runs / found["id"] / "saturation.html").read_text()
    assert page.count("data-goodput=") == 2
    assert "no knee was reached" in page
