"""`compare --policies`: which run belongs to which side, and what is refused; what a suite plays is made by hand."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from aguante.cli import main as cli
from aguante.cli.commands import compare as command
from aguante.suite.many_runs import Job
from aguante.suite.suite_runner import SuiteSettings
from aguante.verdict.suite_result import Suite, SuiteRun

# The hand-made verdicts live beside the tests of the report.
sys.path.append(str(Path(__file__).parents[1] / "report"))
from report_factory import held_run

ROOT = Path(__file__).parents[3]
EXPERIMENT = "chaos-experiments/payments-slow.yaml"
Stage = dict[str, float]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(command, "prepare", lambda *_: True)


def as_if_played(
    jobs: Sequence[Job], settings: SuiteSettings, progress: object
) -> tuple[Suite, Path]:
    """A verdict for each job, whose goodput in the fault is 10 more where it is of the second entry."""
    held = held_run().verdict
    runs = []
    for job in jobs:
        name = f"run-{job.number}"
        phases = tuple(
            p.model_copy(update={"goodput_rps": job.repeat + 10.0 * job.entry}) for p in held.phases
        )
        verdict = held.model_copy(update={"run_id": name, "policy": job.policy, "phases": phases})
        (settings.runs / name).mkdir(parents=True)
        (settings.runs / name / "verdict.json").write_text(verdict.model_dump_json())
        runs.append(
            SuiteRun(
                experiment=job.experiment,
                title="",
                source=job.path,
                policy=job.policy,
                repeat=job.repeat,
                entry=job.entry,
                run_id=name,
                verdict="held",
                exit_code=0,
            )
        )
    folder = settings.runs / "suite"
    folder.mkdir()
    suite = Suite(
        suite_id="suite",
        command="",
        started_at="",
        took_s=1,
        jobs=1,
        planned=len(jobs),
        runs=tuple(runs),
    )
    return suite, folder


def code_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", *arguments])
    assert isinstance(ended.value.code, int)
    return int(ended.value.code)


@pytest.mark.parametrize(
    ("policies", "labels"),
    [
        ("default,default", ["default (A)", "default (B)"]),
        ("default,no-breaker", ["default", "no-breaker"]),
    ],
)
def test_each_side_has_the_runs_of_its_own_place(
    policies: str,
    labels: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also where both have the same policy (an A/A): five a side for five pairs, A first, B 10/s above it."""
    monkeypatch.setattr(command, "play_suite", as_if_played)
    assert code_of("--policies", policies, EXPERIMENT, "--runs", str(tmp_path), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [found[side]["label"] for side in ("a", "b")] == labels
    assert [len(found[side]["runs"]) for side in ("a", "b")] == [5, 5]
    (row,) = [r for r in found["rows"] if (r["group"], r["what"]) == ("fault", "goodput")]
    assert (row["a"], row["b"], row["low"], row["high"]) == (3.0, 13.0, 10.0, 10.0)


def test_a_folder_of_several_experiments_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Policies are compared on one; how many were found is said."""
    given = ("--policies", "default,no-breaker", "chaos-experiments", "--runs", str(tmp_path))
    assert code_of(*given) == 3
    assert "experiments, expected one file" in capsys.readouterr().err


def test_what_cannot_be_healed_is_no_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A testbed that stays broken is exit code 4, as for `run`; nothing is played."""
    monkeypatch.setattr(command, "prepare", lambda *_: False)
    given = ("--policies", "default,no-breaker", EXPERIMENT, "--runs", str(tmp_path))
    assert code_of(*given) == 4
    assert "aguante recover" in capsys.readouterr().err
