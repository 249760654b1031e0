"""What the Tab key offers, asked as each shell asks: through the environment, of the installed program."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from aguante.cli import main as cli

ROOT = Path(__file__).parents[3]
AGUANTE = Path(sys.executable).with_name("aguante")
SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True)
class Line:
    """A command line on which somebody presses Tab."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def answer(self, shell: str, words: str) -> str:
        """What the program tells the shell; a last space begins a new word."""
        for name, value in asked(shell, words).items():
            self.monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit):
            cli.cli.main([], prog_name="aguante")
        output, error = self.capsys.readouterr()
        assert error == ""
        return str(output)

    def offered(self, shell: str, words: str) -> list[str]:
        """The values alone, without their kind and help: each shell is told in a form of its own."""
        lines = self.answer(shell, words).splitlines()
        if shell == "zsh":
            return lines[1::3]
        return [each.split(",", 1)[1].split("\t")[0] for each in lines]


def asked(shell: str, words: str) -> dict[str, str]:
    """What the shell's script sets in the environment."""
    whole = words.split(" ")
    last = whole[-1] if shell == "fish" else str(len(whole) - 1)
    return {"_AGUANTE_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": last}


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Line:
    monkeypatch.chdir(ROOT)
    return Line(monkeypatch, capsys)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "some"),
    [
        ("aguante re", ["report", "reconcile", "recover"]),
        ("aguante run --retry", ["--retry-inconclusive"]),
        ("aguante run --runtime ", ["native", "compose", "attach"]),
        ("aguante plan --policy no-b", ["no-breaker"]),
        ("aguante lint no-b", ["no-breaker"]),
        ("aguante inject reservations-p", ["reservations-payments"]),
        ("aguante inject reservations-payments lat", ["latency"]),
        ("aguante heal reservations-payments inv", ["inventory-db"]),
        ("aguante schema ", ["experiment", "verdict", "testbed"]),
    ],
)
def test_tab_offers_names(line: Line, shell: str, words: str, some: list[str]) -> None:
    """Commands, options, choices, and names that the testbed owns: policies, links, toxics."""
    found = line.offered(shell, words)
    assert set(some) <= set(found)
    begun = words.rsplit(" ", 1)[1]
    assert [each for each in found if not each.startswith(begun)] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_leaves_files_to_the_shell(line: Line, shell: str) -> None:
    """Where a file belongs, the shell is told so, and completes it itself."""
    assert line.answer(shell, "aguante run chaos").startswith("file")
    assert line.answer(shell, "aguante run --runs r").startswith("dir")


def test_tab_offers_past_runs_the_latest_first(line: Line, tmp_path: Path) -> None:
    """By their ids, from the folder that is named; elsewhere a folder."""
    for name in ("20260101T000000Z-a-0000", "20260102T000000Z-b-0000"):
        (tmp_path / "kept" / name).mkdir(parents=True)
        (tmp_path / "kept" / name / "plan.json").touch()
    words = f"aguante report --runs {tmp_path / 'kept'} "
    assert line.offered("bash", f"{words}2026") == [
        "20260102T000000Z-b-0000",
        "20260101T000000Z-a-0000",
    ]
    assert line.answer("bash", f"{words}elsewhere") == "dir,elsewhere\n"


def test_tab_says_nothing_of_a_testbed_that_is_broken(line: Line, tmp_path: Path) -> None:
    """No message lands in the middle of the line that is being typed."""
    (tmp_path / "testbed.yaml").write_text("name: [")
    line.monkeypatch.chdir(tmp_path)
    assert line.answer("bash", "aguante plan --policy no-b").strip() == ""


def test_the_installed_program_answers_the_shell() -> None:
    """It looks for the variable that the script sets, and prints nothing but its offers."""
    done = subprocess.run(
        [AGUANTE],
        env={**os.environ, **asked("bash", "aguante reco")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("plain,reconcile\nplain,recover\n", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_asks_the_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`aguante completion SHELL` prints a script that sets what the program looks for; the shell can read it."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["completion", shell])
    script = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"_AGUANTE_COMPLETE={shell}_complete" in script
    program = shutil.which(shell)
    if program:
        checked = subprocess.run(
            [program, "-n"], input=script, text=True, capture_output=True, timeout=60, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")
