"""The command line as a whole: quick help, every command reachable, a near name for a typo."""

import subprocess
import sys

import click
import pytest

from aguante.cli import main as cli

HEAVY = ("duckdb", "pydantic", "vl_convert", "rich", "aguante.run.orchestrator", "aguante.runtimes")


def every_command() -> list[str]:
    return cli.cli.list_commands(click.Context(cli.cli))


@pytest.mark.parametrize("name", every_command())
def test_each_command_of_the_table_is_there(name: str) -> None:
    """The table's module and attribute exist, and the command calls itself as the table does."""
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command is not None
    assert command.name == name


@pytest.mark.parametrize("name", every_command())
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`aguante COMMAND --help` has a sentence on what it does, and a help text for each option."""
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command is not None
    assert len(command.help or "") > 20
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.hidden and not each.help] == []


def imported_by(arguments: list[str], names: tuple[str, ...]) -> tuple[str, str]:
    """Which of these modules a command has imported at its end, and what it printed."""
    script = (
        "import sys; from aguante.cli import main as cli\n"
        f"try: cli.main({arguments!r})\n"
        "except SystemExit: pass\n"
        f"print(','.join(name for name in {names!r} if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stderr.splitlines()[-1], done.stdout


def test_help_imports_none_of_the_heavy_parts() -> None:
    """`aguante --help` and completion answer at once: no library of the runner is loaded."""
    imported, printed = imported_by(["--help"], HEAVY)
    assert imported == ""
    assert "Exit codes" in printed


@pytest.mark.parametrize("command", [["ps"], ["down", "nobody"], ["up", "--help"]])
def test_what_reads_no_evidence_does_not_wait_for_duckdb(command: list[str]) -> None:
    """Half a second of imports belongs to those who measure and report."""
    imported, _ = imported_by(command, ("duckdb", "vl_convert", "aguante.run.orchestrator"))
    assert imported == ""


@pytest.mark.parametrize(
    "command", [["validate", "chaos-experiments/no-fault.yaml"], ["list"], ["run"]]
)
def test_what_only_reads_files_imports_no_network_and_no_database(command: list[str]) -> None:
    """pydantic and ruamel.yaml are needed, and take most of the time; asyncio and DuckDB are not."""
    imported, _ = imported_by(command, ("asyncio", "aiohttp", "duckdb", "vl_convert"))
    assert imported == ""


def test_a_typo_is_answered_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is exit code 3, with a hint."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["validat"])
    assert ended.value.code == 3
    assert "Did you mean 'validate'?" in capsys.readouterr().err
