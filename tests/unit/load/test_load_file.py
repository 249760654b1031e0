"""What ``aguante load`` is asked for, as an experiment file; and what is wrong with it, before anything starts."""

import sys
from pathlib import Path

import pytest

from aguante.cli import main as cli
from aguante.experiment import load_experiment
from aguante.experiment.load_test import ACHIEVED, LoadTest
from aguante.load_protocol.rates import Shape
from aguante.testbed.testbed_spec import TestbedSpec

MIXED = {"reserve": 0.75, "read_event": 0.25}


def asked(**changed: object) -> LoadTest:
    values: dict[str, object] = {
        "profile": "mixed", "rate_rps": 60.0, "duration_s": 30.0, "warmup_s": 2.0, "shape": Shape(),
        "mix": {"reserve": 1.0}, "arrivals": "poisson", "workers": 1, "users": 0, "policy": "default",
        "thresholds": ACHIEVED,
    }  # fmt: skip
    return LoadTest(**(values | changed))  # type: ignore[arg-type]


def test_it_is_an_experiment_without_a_fault(tmp_path: Path, shop: TestbedSpec) -> None:
    """Everything that was asked for is in it."""
    made = asked(profile="ramp", shape=Shape(to_rps=200), workers=2)
    experiment = load_experiment(made.write(tmp_path), shop)
    assert (experiment.name, experiment.faults) == ("load-ramp", ())
    assert (experiment.load.rate_rps, experiment.load.to_rps, experiment.load.workers) == (
        60,
        200,
        2,
    )
    assert experiment.phases.lengths() == [("warmup", 2), ("baseline", 30)]
    assert experiment.expect[0].achieved is not None


def test_the_same_question_is_the_same_file(tmp_path: Path) -> None:
    """A report can name it for ever; another question has another file."""
    assert asked().write(tmp_path) == asked().write(tmp_path)
    assert asked(rate_rps=61.0).write(tmp_path) != asked().write(tmp_path)


def test_what_a_report_names_is_kept_when_the_same_is_refused_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a file that the refused question itself made is removed."""
    thresholds = tmp_path / "thresholds.yaml"
    thresholds.write_text("expect:\n  - achieved: {min: 7}\n")
    runs = tmp_path / "runs"
    kept = asked(thresholds=thresholds.read_text(), mix=MIXED).write(runs)
    with pytest.raises(SystemExit):
        cli.main(["load", "--expect", str(thresholds), "--runs", str(runs)])
    assert "found 7" in capsys.readouterr().err
    assert list(runs.iterdir()) == [kept]


def test_a_runs_folder_that_cannot_be_written_is_no_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3 with the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        cli.main(["load", "--runs", str(tmp_path / "file" / "runs")])
    assert ended.value.code == 3
    assert "give a writable folder" in capsys.readouterr().err


def test_every_race_has_an_event_with_one_seat(tmp_path: Path, shop: TestbedSpec) -> None:
    """100 rps by 50 racers for 32 s: 64 races."""
    made = asked(profile="race", rate_rps=100.0, shape=Shape(racers=50))
    setup = load_experiment(made.write(tmp_path), shop).setup
    assert setup is not None
    assert (setup.events, setup.capacity) == (64, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rate", "0"), "load.rate_rps: found 0.0, expected a number of requests per second > 0"),
        (("--duration", "-5"), "found '-5', expected a duration such as 90s, 2m or 1.5h"),
        (("--profile", "mixt"), "load.profile: found mixt, expected one of mixed, steady"),
        (("--profile", "ramp"), "load: found nothing, expected to_rps with profile ramp"),
        (("--profile", "a/b"), "load.profile: found a/b, expected one of mixed, steady"),
        (("--profile", "../x" * 99), "load.profile: found ../x"),
        (
            ("--profile", "spike", "--to", "100", "--at", "100", "--for", "5"),
            "load.at_s: found 100, expected a spike that begins before the load ends (32 s)",
        ),
        (
            ("--mix", "reserve=0.5", "--mix", "reserve=0.5"),
            "--mix reserve=0.5: reserve is given twice; give each operation one share",
        ),
        (("--policy", "no-such"), "--policy no-such: no such policy"),
        (("--expect", sys.executable), "expected a YAML file with `expect:`"),
        (("--mix", "reserve"), "--mix reserve: expected OPERATION=SHARE"),
        (("--mix", "buy=1"), "load.mix.buy: found buy, expected one of reserve"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_runs(
    options: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, with what was found and what was expected; nothing is left in the runs folder."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["load", *options, "--runs", str(tmp_path)])
    assert ended.value.code == 3
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_testbed_that_is_not_there_is_said_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 4: there is nothing to attach to."""
    monkeypatch.setenv("AGUANTE_STATE", str(tmp_path / "state"))
    with pytest.raises(SystemExit) as ended:
        cli.main(["load", "--attach", "999-none", "--runs", str(tmp_path), "--quiet"])
    assert ended.value.code == 4
    assert "999-none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "0"), "Invalid value for '--from'"),
        (("--policies", "default,no-such"), "no-such: no such policy"),
        (("--hold", "3", "--settle-in", "3"), "--settle-in must be shorter than --hold"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(
    options: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3 before a testbed is started."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["saturate", *options, "--runs", str(tmp_path)])
    assert ended.value.code == 3
    assert said in capsys.readouterr().err
