"""``--attach`` names a running testbed in every command."""

from pathlib import Path

import click
import pytest

from aguante.cli import main as cli

WITH_ATTACH = {"audit", "doctor", "heal", "inject", "load", "reconcile", "run", "watch"}


@pytest.fixture(autouse=True)
def _no_testbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGUANTE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no Docker either


def code_and_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return int(ended.value.code or 0), capsys.readouterr().err


def test_every_command_on_a_running_testbed_has_the_option() -> None:
    """Under one name."""
    context = click.Context(cli.cli)
    commands = {name: cli.cli.get_command(context, name) for name in cli.cli.list_commands(context)}
    found = {
        name
        for name, command in commands.items()
        if command and any("--attach" in option.opts for option in command.params)
    }
    assert found == WITH_ATTACH


@pytest.mark.parametrize("command", [("heal",), ("inject", "reservations-db", "down"), ("audit",)])
def test_an_unknown_testbed_is_wrong_usage(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, with the ones that run."""
    code, error = code_and_error(capsys, *command, "--attach", "999-none")
    assert code == 3
    assert "there is no testbed '999-none'; running: none." in error


@pytest.mark.parametrize("command", [("heal",), ("inject", "reservations-db", "down")])
def test_the_old_name_works_and_says_the_new_one(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """``--testbed-id`` was the name in 0.1."""
    code, error = code_and_error(capsys, *command, "--testbed-id", "999-none")
    assert code == 3
    assert error.startswith("--testbed-id is now called --attach.\n")
    assert "there is no testbed '999-none'" in error


def test_a_testbed_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The argument and the option mean the same."""
    code, error = code_and_error(capsys, "audit", "017-beef", "--attach", "999-none")
    assert (code, "give either WHICH or --attach" in error) == (3, True)


def test_observe_is_the_old_name_of_reopen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It works, is not listed, and says so."""
    code, error = code_and_error(capsys, "observe", "nowhere", "--runs", str(tmp_path))
    assert code == 3
    assert "`aguante observe` is now called `aguante reopen`." in error
    assert "observe" not in cli.cli.list_commands(click.Context(cli.cli))
