"""Suites of real runs (a child per run, one table, one overview, one exit code), and manual faults."""

import json
import shutil
import signal
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aguante_process import run_aguante, start_aguante
from real_runs import LIMIT_S, real_runs
from waiting import wait_until

from aguante.run_folder.folder import RunFolder
from aguante.verdict.suite_result import Suite

BRIEF = """
name: {name}
title: A short run with a fault that is observed
learn: A test.
load: {{profile: mixed, rate_rps: 20, mix: {{reserve: 0.75, read_event: 0.25}}}}
phases: {{warmup_s: 1, baseline_s: 2, fault_s: 3, recovery_s: 1}}
faults:
  - {{id: slow, toxiproxy: {{link: reservations-notifications, toxic: latency, latency_ms: 300}}}}
expect:
  - rate: {{phase: fault, status: 404, {bound}: 0.5}}   # no request is for an unknown event
"""


@dataclass(frozen=True)
class EndedSuite:
    """A suite that has ended."""

    exit_code: int
    stdout: str
    stderr: str
    runs: Path

    @property
    def folder(self) -> Path:
        """The folder of the suite."""
        (folder,) = self.runs.glob("suite-*")
        return folder

    @property
    def suite(self) -> Suite:
        """Its result."""
        return Suite.model_validate_json((self.folder / "suite.json").read_bytes())


def write(folder: Path, name: str, *, bound: str = "max") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(BRIEF.format(name=name, bound=bound))
    return path


def play_two(folder: Path) -> EndedSuite:
    """One that is held and one that deviates, side by side."""
    one, two = write(folder, "brief-one"), write(folder, "brief-two", bound="min")
    runs = folder / "runs"
    words = ("run", one, two, "--jobs", "2", "--ci", "--runs", runs)
    done = run_aguante(*words, limit_s=LIMIT_S)
    return EndedSuite(done.returncode, done.stdout, done.stderr, runs)


def interrupt_one(folder: Path) -> EndedSuite:
    """Three repeats, of which the first is interrupted before its fault."""
    runs = folder / "runs"
    with start_aguante(
        *("run", write(folder, "brief"), "--repeat", "3", "--runs", runs),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as runner:
        wait_until(lambda: any('"t0"' in e.read_text() for e in runs.glob("*/events.jsonl")))
        runner.send_signal(signal.SIGINT)
        stdout, stderr = runner.communicate(timeout=LIMIT_S)
    return EndedSuite(runner.returncode, stdout, stderr, runs)


suites = real_runs("suites", {"two": play_two, "interrupted": interrupt_one})
Suites = Mapping[str, EndedSuite]


def test_two_experiments_end_with_one_table_and_one_overview(suites: Suites) -> None:
    """Each has its own testbed and log; the exit code is that of the run that deviated."""
    two = suites["two"]
    suite, page = two.suite, (two.folder / "overview.html").read_text()
    assert [run.verdict for run in suite.runs] == ["held", "deviated"], two.stderr
    assert two.exit_code == suite.exit_code == 1
    assert (two.stdout.count("Runs"), two.stdout.count("overview: ")) == (1, 1)
    for run in suite.runs:
        assert (two.runs / run.run_id / "report.html").exists()
        assert f"../{run.run_id}/report.html" in page
        assert "Starting aguante-shop" in (two.folder / run.log).read_text()
    tests = ET.parse(two.folder / "junit.xml").getroot().findall("testsuite")  # noqa: S314  our own
    assert [each.get("failures") != "0" for each in tests] == [False, True]


def test_a_run_names_the_versions_of_its_servers(suites: Suites) -> None:
    """In environment.json."""
    two = suites["two"]
    folder = RunFolder(two.runs / two.suite.runs[0].run_id)
    versions = json.loads((folder.root / "environment.json").read_text())
    assert versions["toxiproxy"].startswith("2.12")
    assert versions["postgresql"]


def test_real_runs_can_be_compared_explained_and_judged_again(suites: Suites) -> None:
    """From their folders alone."""
    two = suites["two"]
    where = ("--runs", two.runs)
    ids = [run.run_id for run in two.suite.runs]
    compared = run_aguante("compare", *ids, *where)
    assert compared.returncode == 0, compared.stderr
    assert "too few" in compared.stdout
    explained = run_aguante("explain", ids[1], *where)
    assert "Expectation 1" in explained.stdout
    assert "is unmet" in explained.stdout
    again = run_aguante("verdict", ids[1], *where)
    assert (again.returncode, again.stderr) == (1, "")


def test_a_signal_ends_a_suite_healed_and_begins_no_further_run(suites: Suites) -> None:
    """The current run heals and is judged; the suite is inconclusive and reports what is missing."""
    interrupted = suites["interrupted"]
    suite, output = interrupted.suite, interrupted.stdout + interrupted.stderr
    assert (interrupted.exit_code, len(suite.runs), suite.planned) == (2, 1, 3), output
    assert "2 of 3 runs were not started" in output
    events = "".join(path.read_text() for path in interrupted.runs.glob("*/events.jsonl"))
    assert '"action":"applied"' not in events


@pytest.fixture
def state() -> Iterator[dict[str, str]]:
    """The environment of a detached testbed, in a folder that PostgreSQL's account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="aguante-suite-"))
    folder.chmod(0o711)
    env = {"AGUANTE_STATE": str(folder)}
    up = run_aguante("up", "--detach", "--json", env=env)
    assert up.returncode == 0, up.stderr
    yield env
    assert run_aguante("down", env=env).returncode == 0
    shutil.rmtree(folder)


def test_a_manual_fault_is_healed_after_its_time_by_heal_and_after_a_kill(
    tmp_path: Path, state: dict[str, str]
) -> None:
    """By --for; by `aguante heal`; by `aguante recover` after SIGKILL. No fault remains."""
    runs = ("--runs", tmp_path / "runs")
    link = ("reservations-payments", "latency", "3500", "--for", "1s")
    done = run_aguante("inject", *link, *runs, env=state)
    assert (done.returncode, done.stderr) == (0, "")
    assert "its time was up" in done.stdout
    with injecting(tmp_path, state, "inventory-db", "down") as injection:
        healed = run_aguante("heal", env=state)
        assert healed.stdout == "inventory-db: enabled\n"
        assert injection.wait(timeout=30) == 0
    with injecting(tmp_path, state, "inventory-db", "down") as injection:
        injection.kill()
        injection.wait(timeout=10)
        recovered = run_aguante("recover", *runs, env=state)
        assert "restored inventory-db" in recovered.stdout
    assert run_aguante("heal", env=state).stdout == "nothing to heal\n"


@contextmanager
def injecting(
    folder: Path, state: dict[str, str], *words: str
) -> Iterator["subprocess.Popen[str]"]:
    """`aguante inject` in the background, once its fault is applied."""
    path = folder / "inject.log"
    with (
        path.open("w+") as log,
        start_aguante(
            *("inject", *words, "--runs", folder / "runs"),
            env={**state, "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as injection,
    ):
        wait_until(lambda: "Ctrl-C heals" in path.read_text())
        yield injection
        if injection.poll() is None:
            injection.terminate()
