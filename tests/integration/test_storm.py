"""A small storm on the real testbed, as its user starts it; `make storm` is the large one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def storm(parent: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stress.storm", "--runs", str(parent / "runs"), *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
def test_a_small_storm_loses_nothing(parent: Path) -> None:
    """Links break, services are killed between pay and confirm, and every invariant holds afterwards."""
    done = storm(parent, "--seed", "1", "--reservations", "250", "--kills", "5", "--rate", "14")
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("storm of seed 1: python -m stress.storm --seed 1 ")
    assert "held: seed 1, 0 violations" in done.stdout
    between = re.search(r"(\d+) of them between pay and confirm", done.stdout)
    assert between
    assert int(between[1]) >= 5
    assert list((parent / "runs").iterdir()) == []


@pytest.mark.slow
def test_a_storm_without_the_lock_is_found_out(parent: Path) -> None:
    """The same storm can fail: it names the rows, exits 1, and keeps ledger, tables and logs."""
    done = storm(
        parent,
        *("--seed", "1", "--reservations", "300", "--kills", "0", "--rate", "60"),
        *("--policy", "no-lock"),
    )
    print(done.stdout)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"BROKEN: seed 1: seats_add_up: \d+ violations", done.stdout)
    assert "event_id | capacity | available | allocated" in done.stdout
    (folder,) = (parent / "runs").iterdir()
    assert str(folder) in done.stdout
    assert {each.name for each in folder.iterdir()} == {"requests.jsonl", "tables", "logs"}
    assert (folder / "tables" / "inventory.events.csv").exists()
    assert (folder / "logs" / "inventory-1.log").exists()
