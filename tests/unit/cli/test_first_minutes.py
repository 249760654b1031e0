"""What a newcomer sees: `aguante` alone, and `aguante run` without a file."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from aguante.cli import main as cli
from aguante.cli.first_steps import first_steps

ROOT = Path(__file__).parents[3]


def code_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return int(ended.value.code or 0)


def test_aguante_alone_says_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    """A few lines and where the rest is, not every command; exit 0."""
    assert code_of() == 0
    output = capsys.readouterr().out
    assert "aguante doctor" in output
    assert "aguante run payments-slow" in output
    assert "aguante --help" in output
    assert len(output.splitlines()) <= 12


def test_after_a_run_it_offers_to_explain_it(tmp_path: Path) -> None:
    """By its name."""
    assert "explain" not in first_steps(tmp_path)
    for name in ("20260101-a", "20260102-b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").touch()
    assert "last run, 20260102-b" in first_steps(tmp_path)


def test_in_the_folder_of_another_system_it_names_one_of_its_experiments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a file, if there is none."""
    (tmp_path / "testbed.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert "aguante run FILE" in first_steps()
    (tmp_path / "chaos-experiments").mkdir()
    (tmp_path / "chaos-experiments" / "own.yaml").touch()
    assert "aguante run own " in first_steps()


def test_run_without_a_file_lists_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, titles and how to run one; it asks nothing without a terminal. Exit 3."""
    assert code_of("run") == 3
    error = capsys.readouterr().err
    assert "payments-slow " in error
    assert "Payments answers in 3.5 s instead of milliseconds" in error
    assert "`aguante run payments-slow`" in error


def test_run_without_a_file_and_without_a_library_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The system in this folder has no experiments yet."""
    (tmp_path / "testbed.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert code_of("run") == 3
    assert "there is no library in chaos-experiments" in capsys.readouterr().err


def test_on_a_terminal_it_asks_for_a_number() -> None:
    """The chosen experiment is run; here a setting is wrong, which is found before anything starts."""
    controller, terminal = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "aguante", "run", "--set", "no.such=1"],
        cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True,
    )  # fmt: skip
    os.close(terminal)
    seen = read_until(controller, b"(Ctrl-C: none)")
    os.write(controller, b"1\n")
    seen = read_until(controller, b"no.such")
    assert child.wait(30) == 3
    os.close(controller)
    assert b"--set no.such=1" in seen


def read_until(controller: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        assert select.select([controller], [], [], 30)[0], seen
        seen += os.read(controller, 4096)
    return seen
