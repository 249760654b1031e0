"""A system of its own, connected by its own testbed.yaml: the commands of docs/another-system.md are executed."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from aguante_process import ROOT, run_aguante
from real_runs import LIMIT_S, real_runs

EXAMPLE = ROOT / "examples" / "two-services"
PAGE = (ROOT / "docs" / "another-system.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"^```(?:yaml|python) (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^\$ aguante (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(
    "name", ["links.yaml", "testbed.yaml", "load.py", "slow-stock.yaml", "stock-killed.yaml"]
)
def test_the_page_shows_the_files_as_they_are(name: str) -> None:
    """The files that a reader copies are those that are tested."""
    assert SHOWN[name] == (EXAMPLE / name).read_text(encoding="utf-8")


def play_the_page(folder: Path) -> Path:
    """Play the commands of the page, each of which exits 0; the folder of their runs."""
    assert [command.split()[0] for command in COMMANDS] == ["validate", "run"]
    for command in COMMANDS:
        words = shlex.split(command)
        options = ["--runs", folder] if words[0] == "run" else []
        done = run_aguante(*words, *options, limit_s=LIMIT_S)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


page_runs = real_runs("page_runs", {"page": play_the_page})


@pytest.mark.long("two runs of an example system")
@pytest.mark.parametrize(
    ("name", "mechanisms"),
    [("slow-stock", {"timeout"}), ("stock-killed", {"disconnected", "connection_reset"})],
)
def test_the_commands_of_the_page_end_held_and_attributed(
    page_runs: Mapping[str, Path], name: str, mechanisms: set[str]
) -> None:
    """The fault is observed and healed; spans alone attribute each failure to shop, its link and a cause."""
    (path,) = page_runs["page"].glob(f"*-{name}-*/verdict.json")
    verdict = json.loads(path.read_text())
    assert verdict["verdict"] == "held"
    assert [fault["injection_observed"] for fault in verdict["faults"]] == [True]
    assert [fault["undone_verified"] for fault in verdict["faults"]] == [True]
    assert verdict["attribution"]["unexplained"] == []
    (fault,) = [phase for phase in verdict["phases"] if phase["phase"] == "fault"]
    causes = {
        (c["origin"], c["link"], c["mechanism"]) for c in fault["causes"] if c["status"] != 200
    }
    assert causes
    assert causes <= {("shop", "shop-stock", mechanism) for mechanism in mechanisms}
