"""Two small storms on real testbeds, started from the command line; `make storm` is a large one."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from native_harness import private_folder

ROOT = Path(__file__).parents[2]
STORMS = {
    "small": ("--seed", "1", "--reservations", "250", "--kills", "5", "--rate", "14"),
    "without the lock": (
        *("--seed", "1", "--reservations", "300", "--kills", "0", "--rate", "60"),
        *("--policy", "no-lock"),
    ),
}
pytestmark = pytest.mark.long("two storms, each on a testbed of its own")


class Played(NamedTuple):
    """The result of a storm, and the parent of its folder."""

    code: int
    output: str
    errors: str
    runs: Path


def storm(runs: Path, state: Path, *arguments: str) -> Played:
    command = [sys.executable, "-m", "stress.storm", "--runs", str(runs), *arguments]
    environ = {**os.environ, "AGUANTE_STATE": str(state)}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    print(done.stdout)
    return Played(done.returncode, done.stdout, done.stderr, runs)


@pytest.fixture(scope="module")
def storms() -> Iterator[dict[str, Played]]:
    """Both side by side on testbeds of their own: neither is judged by its timing, and both mostly wait."""
    with (
        private_folder() as state,
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(len(STORMS)) as pool,
    ):
        begun = {
            name: pool.submit(storm, Path(folder, str(number)), state, *arguments)
            for number, (name, arguments) in enumerate(STORMS.items())
        }
        yield {name: each.result() for name, each in begun.items()}


def test_a_small_storm_loses_nothing(storms: dict[str, Played]) -> None:
    """Links break, services are killed between pay and confirm, and every invariant holds afterwards."""
    done = storms["small"]
    assert done.code == 0, done.output + done.errors
    assert done.output.startswith("storm of seed 1: python -m stress.storm --seed 1 ")
    assert "held: seed 1, 0 violations" in done.output
    between = re.search(r"(\d+) of them between pay and confirm", done.output)
    assert between
    assert int(between[1]) >= 5
    assert list(done.runs.iterdir()) == []


def test_a_storm_finds_a_missing_lock(storms: dict[str, Played]) -> None:
    """A storm that finds violations names the rows, exits 1, and keeps ledger, tables and logs."""
    done = storms["without the lock"]
    assert done.code == 1, done.output + done.errors
    assert re.search(r"BROKEN: seed 1: seats_add_up: \d+ violations", done.output)
    assert "event_id | capacity | available | allocated" in done.output
    (folder,) = done.runs.iterdir()
    assert str(folder) in done.output
    assert {each.name for each in folder.iterdir()} == {"requests.jsonl", "tables", "logs"}
    assert (folder / "tables" / "inventory.events.csv").exists()
    assert (folder / "logs" / "inventory-1.log").exists()
