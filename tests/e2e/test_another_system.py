"""A system that knows nothing of ours, attached by its own testbed.yaml: the page that tells how is executed."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from aguante.core.own_program import aguante_command

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "two-services"
PAGE = (ROOT / "docs" / "another-system.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"^```(?:yaml|python) (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^\$ aguante (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(
    "name", ["links.yaml", "testbed.yaml", "load.py", "slow-stock.yaml", "stock-killed.yaml"]
)
def test_the_page_shows_the_files_as_they_are(name: str) -> None:
    """A reader who copies from the page has what the test plays."""
    assert SHOWN[name] == (EXAMPLE / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands of the page leave; each of them exits 0."""
    folder = tmp_path_factory.mktemp("runs")
    assert [command.split()[0] for command in COMMANDS] == ["validate", "run"]
    for command in COMMANDS:
        argv = aguante_command(*shlex.split(command))
        options = ["--runs", str(folder)] if argv[3] == "run" else []
        done = subprocess.run(
            argv + options, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mechanisms"),
    [("slow-stock", {"timeout"}), ("stock-killed", {"disconnected", "connection_reset"})],
)
def test_the_commands_of_the_page_end_held_and_attributed(
    runs: Path, name: str, mechanisms: set[str]
) -> None:
    """The fault bit and is healed; each failure is attributed to shop, its link and a cause, by spans alone."""
    (path,) = runs.glob(f"*-{name}-*/verdict.json")
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
