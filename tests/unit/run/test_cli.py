"""The exit codes of the command line are a contract."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest

from aguante.cli import main as cli
from aguante.run_folder.journal import JournalError
from aguante.testbed.runtime import TestbedError


def code_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return int(ended.value.code)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception | int], None]:
    """Add a command ``probe`` that raises, or returns its exit code."""

    def add(outcome: Exception | int) -> None:
        def act() -> int:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setitem(cli.cli.commands, "probe", click.Command("probe", callback=act))

    return add


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (0, 0),
        (1, 1),
        (2, 2),
        (TestbedError("no PostgreSQL"), 4),
        (JournalError("disk full"), 4),
        (RuntimeError("a fault of our own"), 5),
        (click.UsageError("wrong"), 3),
    ],
)
def test_each_outcome_has_its_exit_code(
    command: Callable[[Exception | int], None],
    outcome: Exception | int,
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A crash is 5 and never looks like a verdict; the failure is printed on stderr."""
    command(outcome)
    assert code_of("probe") == code
    if isinstance(outcome, Exception):
        assert str(outcome) in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [("rnu",), ("run",), ("run", "x.yaml", "--sed", "1"), ("run", "x.yaml", "--seed", "-1")],
)
def test_wrong_usage_is_3(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command or option, or a missing or invalid argument, starts nothing."""
    assert code_of(*arguments) == 3
    assert "Error" in capsys.readouterr().err


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, as for any other error of a file."""
    assert code_of("validate", "no-such.yaml") == 3
    assert "no-such.yaml" in capsys.readouterr().err


def test_an_unknown_policy_lists_the_known_ones(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nothing is started."""
    experiment = Path(__file__).parents[3] / "chaos-experiments" / "payments-slow.yaml"
    assert code_of("run", str(experiment), "--policy", "defualt", "--runs", str(tmp_path)) == 3
    assert "default" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
