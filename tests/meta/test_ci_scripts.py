"""What runs in CI: our own scripts, and the example that users copy."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from aguante.cli.main import cli

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ci" / "github-actions.yml"
STEPS: list[dict[str, Any]] = YAML(typ="safe").load(EXAMPLE.read_text())["jobs"]["experiments"][
    "steps"
]
SCRIPTS = [step["run"] for step in STEPS if "run" in step]


def bash(
    script: str, *options: str, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", *options, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=cwd,
        env={**os.environ, **variables},
    )


def test_the_example_is_a_workflow_of_github_actions() -> None:
    """By GitHub's own schema, as check-jsonschema ships it."""
    workflow = YAML(typ="safe").load(EXAMPLE.read_text())
    schema = get_builtin_schema("vendor.github-workflows")
    assert [str(error.message) for error in Draft7Validator(schema).iter_errors(workflow)] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_step_of_the_example_is_shell_and_calls_what_there_is(script: str) -> None:
    """It parses, and each command of ours takes the options that it is given."""
    assert bash(script, "-n").returncode == 0
    for line in re.findall(r"\.venv/bin/aguante (.*)", script):
        words = shlex.split(re.sub(r'"\$EXPERIMENTS"\S*', "testbed.yaml", line))
        command = cli.get_command(click.Context(cli), words[0])
        assert command is not None, words[0]
        command.make_context(words[0], words[1:])


def test_the_step_that_checks_the_files_passes() -> None:
    """As it stands, on the experiments that it names."""
    check = next(step["run"] for step in STEPS if "validate" in step.get("run", ""))
    environment = YAML(typ="safe").load(EXAMPLE.read_text())["env"]
    script = check.replace(".venv/bin/aguante", f"{sys.executable} -m aguante")
    done = bash(script, **environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_shows_what_a_suite_or_a_run_writes() -> None:
    """The pages and the results have the names that `aguante run` gives them."""
    written = "".join(p.read_text() for p in (ROOT / "aguante").rglob("*.py"))
    for name in ("overview.md", "report.md", "junit.xml"):
        assert name in EXAMPLE.read_text()
        assert f'"{name}"' in written


@pytest.mark.parametrize(
    ("written", "shown", "runs"),
    [
        (["suite-1/overview.md", "1-slow/report.md"], "suite-1/overview.md", "runs/suite-*"),
        (["1-slow/report.md"], "1-slow/report.md", "runs/*"),
        ([], "", "runs/*"),
    ],
    ids=["suite", "one", "none"],
)
def test_the_step_that_shows_the_outcome_shows_that_of_one_experiment_too(
    written: list[str], shown: str, runs: str, tmp_path: Path
) -> None:
    """A choice of one makes no suite; where nothing was played there is nothing to show, and no second failure."""
    for page in written:
        (tmp_path / "runs" / page).parent.mkdir(parents=True)
        (tmp_path / "runs" / page).write_text(page)
    show = next(step["run"] for step in STEPS if step.get("id") == "show")
    output, summary = tmp_path / "output", tmp_path / "summary"
    given = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    done = bash(show, "-e", cwd=tmp_path, **given)
    assert done.returncode == 0, done.stderr
    assert (output.read_text(), summary.read_text()) == (f"runs={runs}\n", shown)


FAKE_DOCKER = """#!/bin/bash
test -e "$FAKES/engine"
"""
FAKE_DOCKERD = """#!/bin/bash
[ "$DOCKERD" = dies ] && { echo "no iptables here"; exit 1; }
trap 'rm -f "$FAKES/engine"; touch "$FAKES/ended"; exit 0' TERM
touch "$FAKES/engine"
for ((i = 0; i < 300; i++)); do sleep 0.1; done
"""


def ci_docker(fakes: Path, then: str, dockerd: str = "lives") -> subprocess.CompletedProcess[str]:
    """Source .ci/docker where `docker` and `dockerd` are ours, then do as told."""
    for name, text in (("docker", FAKE_DOCKER), ("dockerd", FAKE_DOCKERD)):
        (fakes / name).write_text(text)
        (fakes / name).chmod(0o755)
    path = f"{fakes}:{os.environ['PATH']}"
    script = f"set -euo pipefail; source .ci/docker; {then}"
    return bash(script, FAKES=str(fakes), PATH=path, DOCKERD=dockerd)


def test_an_engine_that_ci_starts_ends_with_it(tmp_path: Path) -> None:
    """Whatever the checks end with, which stays CI's own exit code."""
    done = ci_docker(tmp_path, "docker version; exit 7")
    assert done.returncode == 7
    assert (tmp_path / "ended").exists()


def test_an_engine_that_was_here_is_left_alone(tmp_path: Path) -> None:
    """It may be anybody's."""
    (tmp_path / "engine").touch()
    assert ci_docker(tmp_path, "true").returncode == 0
    assert (tmp_path / "engine").exists()
    assert not (tmp_path / "ended").exists()


def test_an_engine_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    """CI ends at once, and says why."""
    done = ci_docker(tmp_path, "echo went on", dockerd="dies")
    assert done.returncode == 1
    assert "no iptables here" in done.stderr
    assert "went on" not in done.stdout
