"""``make load``: what it calls makes sense with every profile, and what it is judged by."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aguante.cli.commands.load import _shares, load_command
from aguante.experiment import Experiment, load_experiment
from aguante.experiment.load_test import LoadTest
from aguante.load_protocol.rates import Shape
from aguante.testbed.testbed_file import load_testbed

ROOT = Path(__file__).parents[3]
THRESHOLDS = ROOT / "loadtests" / "thresholds.yaml"


def called(*variables: str) -> dict[str, Any]:
    """The options that `make load` gives to `aguante load`; nothing is played."""
    told = subprocess.run(
        ["make", "--dry-run", "load", *variables],  # noqa: S607 - whichever make there is
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    text = told.stdout.replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if "aguante load" in line)
    words = shlex.split(line)  # aguante load, and its options
    return load_command.make_context("load", words[2:]).params


def experiment_of(options: dict[str, Any], folder: Path) -> Experiment:
    words = {word: options[word] for word in Shape.__struct_fields__}
    asked = LoadTest(
        profile=options["profile"],
        rate_rps=options["rate_rps"],
        duration_s=options["duration_s"],
        warmup_s=options["warmup_s"],
        shape=Shape(**words),
        mix=_shares(options["mix"], options["profile"]),
        arrivals=options["arrivals"],
        workers=options["workers"],
        users=options["users"],
        policy=options["policy"],
        thresholds=(ROOT / options["thresholds"]).read_text(encoding="utf-8"),
    )
    return load_experiment(asked.write(folder), load_testbed(ROOT / "testbed.yaml"))


@pytest.mark.parametrize(
    "variables",
    [
        (),
        ("PROFILE=soak", "RATE=30", "DURATION=60", "WORKERS=2"),
        ("PROFILE=ramp", "ARGS=--to 80"),
        ("PROFILE=step", "ARGS=--to 80 --steps 4"),
        ("PROFILE=spike", "ARGS=--to 120 --at 12 --for 5"),
        ("PROFILE=race", "ARGS=--racers 50"),
    ],
    ids=lambda given: " ".join(given) or "as it is",
)
def test_make_load_is_a_valid_load_judged_by_the_thresholds(
    variables: tuple[str, ...], tmp_path: Path
) -> None:
    """loadtests/thresholds.yaml validates, and is what is asked, whichever profile is chosen."""
    options = called(*variables)
    assert ROOT / options["thresholds"] == THRESHOLDS
    experiment = experiment_of(options, tmp_path)
    assert len(experiment.expect) == THRESHOLDS.read_text().count("\n  - ")
    assert experiment.load.profile == options["profile"]


def test_every_operation_of_make_load_has_a_threshold(tmp_path: Path) -> None:
    """What is mixed in and never judged would be load for nothing."""
    experiment = experiment_of(called(), tmp_path)
    judged = {each.rate.operation for each in experiment.expect if each.rate is not None}
    assert set(experiment.load.mix) <= judged
    assert any(each.achieved is not None for each in experiment.expect)
