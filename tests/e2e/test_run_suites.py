"""Suites of real runs: a child per run, one table, one overview, one exit code; and one fault by hand."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from aguante.core.own_program import aguante_command
from aguante.testbed.runtime import Testbed
from aguante.verdict.suite_result import Suite

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
QUIET = """
name: {name}
title: A quiet run with a fault that bites
learn: A test.
load: {{profile: mixed, rate_rps: 20, mix: {{reserve: 0.75, read_event: 0.25}}}}
phases: {{warmup_s: 1, baseline_s: 2, fault_s: 3, recovery_s: 1}}
faults:
  - {{id: slow, toxiproxy: {{link: reservations-notifications, toxic: latency, latency_ms: 300}}}}
expect:
  - rate: {{phase: fault, status: 404, {bound}: 0.5}}   # nothing asks for what is not there
"""


def write(folder: Path, name: str, *, bound: str = "max") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(QUIET.format(name=name, bound=bound))
    return path


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path) -> Iterator[None]:
    """Testbeds of this test alone, in a folder that PostgreSQL's account can enter (pytest's it cannot)."""
    state = Path(tempfile.mkdtemp(prefix="aguante-suite-"))
    state.chmod(0o711)
    (tmp_path / "state").symlink_to(state)
    yield
    shutil.rmtree(state, ignore_errors=True)


def environ_of(folder: Path) -> dict[str, str]:
    return os.environ | {"AGUANTE_STATE": str((folder / "state").resolve())}


def aguante(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        aguante_command(*arguments),
        cwd=ROOT,
        env=environ_of(folder),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_two_experiments_end_with_one_table_and_one_overview(tmp_path: Path) -> None:
    """Side by side, each with its own testbed and log; the exit code is that of the run that deviated."""
    runs = tmp_path / "runs"
    one = write(tmp_path, "quiet-one")
    two = write(tmp_path, "quiet-two", bound="min")
    done = aguante(tmp_path, "run", str(one), str(two), "--jobs", "2", "--ci", "--runs", str(runs))
    (folder,) = runs.glob("suite-*")
    suite = Suite.model_validate_json((folder / "suite.json").read_text())
    assert [run.verdict for run in suite.runs] == ["held", "deviated"], done.stderr
    assert done.returncode == suite.exit_code == 1
    assert (done.stdout.count("Runs"), done.stdout.count("overview: ")) == (1, 1)
    page = (folder / "overview.html").read_text()
    for run in suite.runs:
        assert (runs / run.run_id / "report.html").exists()
        assert f"../{run.run_id}/report.html" in page
        assert "Starting aguante-shop" in (folder / run.log).read_text()
    tests = ET.parse(folder / "junit.xml").getroot().findall("testsuite")  # noqa: S314  our own
    assert [each.get("failures") != "0" for each in tests] == [False, True]
    versions = json.loads((runs / suite.runs[0].run_id / "environment.json").read_text())
    assert versions["toxiproxy"].startswith("2.12")
    assert versions["postgresql"]
    compared = aguante(tmp_path, "compare", *(r.run_id for r in suite.runs), "--runs", str(runs))
    assert compared.returncode == 0, compared.stderr
    assert "too few" in compared.stdout
    explained = aguante(tmp_path, "explain", suite.runs[1].run_id, "--runs", str(runs))
    assert "Expectation 1" in explained.stdout
    assert "is unmet" in explained.stdout
    again = aguante(tmp_path, "verdict", suite.runs[1].run_id, "--runs", str(runs))
    assert (again.returncode, again.stderr) == (1, "")


def test_a_signal_ends_a_suite_healed_and_begins_nothing_new(tmp_path: Path) -> None:
    """The run under way heals and is judged; the suite is inconclusive and says what is missing."""
    runs = tmp_path / "runs"
    path = write(tmp_path, "quiet")
    command = aguante_command("run", str(path), "--repeat", "3", "--runs", str(runs))
    runner = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ_of(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    wait_for(lambda: any('"t0"' in each.read_text() for each in runs.glob("*/events.jsonl")))
    runner.send_signal(signal.SIGINT)
    output, _ = runner.communicate(timeout=90)
    (folder,) = runs.glob("suite-*")
    suite = Suite.model_validate_json((folder / "suite.json").read_text())
    assert (runner.returncode, len(suite.runs), suite.planned) == (2, 1, 3), output.decode()
    assert "2 of 3 runs were not begun" in output.decode()
    assert '"action":"applied"' not in "".join(p.read_text() for p in runs.glob("*/events.jsonl"))


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    up = aguante(tmp_path, "up", "--detach", "--json")
    assert up.returncode == 0, up.stderr
    yield Testbed.model_validate_json(up.stdout)
    assert aguante(tmp_path, "down").returncode == 0


def test_a_fault_by_hand_is_healed_by_time_by_signal_and_after_a_kill(
    tmp_path: Path, testbed: Testbed
) -> None:
    """Its end by --for; another's end by `heal`; SIGKILL, then `recover`. Nothing is left broken."""
    runs = ("--runs", str(tmp_path / "runs"))
    done = aguante(
        tmp_path, "inject", "reservations-payments", "latency", "3500", "--for", "1s", *runs
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "its time was up" in done.stdout
    with holding(tmp_path, "inventory-db", "down") as held:
        healed = aguante(tmp_path, "heal")
        assert healed.stdout == "inventory-db: enabled\n"
        assert held.wait(timeout=30) == 0
    with holding(tmp_path, "inventory-db", "down") as held:
        held.kill()
        held.wait(timeout=10)
        recovered = aguante(tmp_path, "recover", *runs)
        assert "restored inventory-db" in recovered.stdout
    assert aguante(tmp_path, "heal").stdout == "nothing to heal\n"
    assert testbed.links


class holding:  # noqa: N801 - used as a with-block
    """`aguante inject` in a process of its own, for as long as the block."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._folder = folder
        self._words = words

    def __enter__(self) -> subprocess.Popen[str]:
        self._out = (self._folder / "inject.log").open("w+")
        runs = ("--runs", str(self._folder / "runs"))
        self._process = subprocess.Popen(
            aguante_command("inject", *self._words, *runs),
            cwd=ROOT,
            env=environ_of(self._folder) | {"PYTHONUNBUFFERED": "1"},
            stdout=self._out,
            stderr=subprocess.STDOUT,
            text=True,
        )
        wait_for(lambda: "Ctrl-C heals" in (self._folder / "inject.log").read_text())
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=60)
        self._out.close()


def wait_for(seen) -> None:
    for _ in range(600):
        if seen():
            return
        time.sleep(0.1)
    pytest.fail("it was not seen within 60 s")
