"""An editor, and a commit, know an experiment by its JSON Schema."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schemas" / "experiment.schema.json"
ASIDE = {".venv", ".git", "node_modules", "runs"}


def experiments() -> list[Path]:
    """Every file of the repository that has phases and expectations."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if each not in ASIDE]
        for name in names:
            path = Path(folder) / name
            text = path.read_text(encoding="utf-8") if path.suffix == ".yaml" else ""
            if re.search("^phases:", text, re.MULTILINE) and re.search(
                "^expect:", text, re.MULTILINE
            ):
                found.append(path)
    return sorted(found)


def hook() -> dict[str, str]:
    (local,) = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
    (found,) = [each for each in local["hooks"] if each["id"] == "experiment-schema"]
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "path", experiments(), ids=lambda path: str(path.relative_to(ROOT)).replace("/", ":")
)
def test_an_experiment_names_its_schema_in_its_first_line(path: Path) -> None:
    """By a path that leads there from the file itself, so that an editor completes and checks it."""
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named, f"{path.relative_to(ROOT)}:1: found {first!r}"
    assert (path.parent / named[1]).resolve() == SCHEMA


def test_a_commit_checks_exactly_the_experiments_by_their_schema() -> None:
    """The hook meets each experiment that we ship, and no other file beside them."""
    folders = (ROOT / "chaos-experiments", ROOT / "examples")
    names = {str(path.relative_to(ROOT)) for each in folders for path in each.rglob("*.yaml")}
    chosen = {name for name in names if re.search(hook()["files"], name)}
    chosen -= {name for name in names if re.search(hook()["exclude"], name)}
    assert chosen == {str(path.relative_to(ROOT)) for path in experiments()} & names


def test_the_hook_refuses_what_the_schema_does(tmp_path: Path) -> None:
    """The command of the hook passes every experiment, and stops a misspelt key. It needs no network."""
    command = [*hook()["entry"].split()]
    good = [str(path) for path in experiments()]
    passed = subprocess.run(
        [*command, *good], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert passed.returncode == 0, passed.stdout
    bad = tmp_path / "bad.yaml"
    bad.write_text(Path(good[0]).read_text(encoding="utf-8").replace("\nphases:", "\nphasen:"))
    done = subprocess.run(
        [*command, str(bad)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "phasen" in done.stdout
