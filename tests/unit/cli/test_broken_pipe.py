"""An output that nobody reads to its end says nothing about an experiment, and neither does a lost connection."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from aguante.cli import main as cli

ROOT = Path(__file__).parents[3]


def unread(*command: str, stream: str = "stdout") -> "subprocess.CompletedProcess[str]":
    """Run Python with one of its streams a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    streams: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writer}
    try:
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            [sys.executable, *command], **streams, text=True, timeout=60, check=False, cwd=ROOT
        )
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    "command", ["--help", "plan chaos-experiments/payments-slow.yaml", "list", "schema"]
)
def test_an_output_that_nobody_reads_is_no_verdict(command: str) -> None:
    """Exit 141, as SIGPIPE ends a program, and not a word: 1 would say `deviated`."""
    done = unread("-m", "aguante", *command.split())
    assert (done.returncode, done.stderr) == (141, "")


def test_progress_that_nobody_reads_ends_nothing() -> None:
    """A run whose standard error went to `head` is played to its end."""
    script = (
        "from aguante.cli import main as cli; from aguante.cli.consoles import ProgressConsole\n"
        "import click\n"
        "def play():\n"
        "    console = ProgressConsole()\n"
        "    for number in range(3): console.print(number)\n"
        "    click.echo('played'); return 2\n"
        "cli.cli.commands['play'] = click.Command('play', callback=play)\n"
        "cli.main(['play'])"
    )
    done = unread("-c", script, stream="stderr")
    assert (done.returncode, done.stdout) == (2, "played\n")


def test_a_verdict_that_nobody_reads_is_no_crash() -> None:
    """Printed inside tasks, as `run` does, with standard error gone as well (`2>&1 | head`): 141 all the same."""
    script = (
        "import asyncio, click, os; from aguante.cli import main as cli\n"
        "from aguante.cli.consoles import output_console\n"
        "os.dup2(1, 2)\n"
        "async def show(): output_console().print('held')\n"
        "async def tell():\n"
        "    async with asyncio.TaskGroup() as group: group.create_task(show())\n"
        "play = click.Command('play', callback=lambda: asyncio.run(tell()))\n"
        "cli.cli.commands['play'] = play\n"
        "cli.main(['play'])"
    )
    assert unread("-c", script).returncode == 141


def test_a_crash_that_nobody_reads_is_still_a_crash() -> None:
    """Its traceback cannot be printed; Python itself would exit with 1."""
    script = (
        "import click; from aguante.cli import main as cli\n"
        "cli.cli.commands['play'] = click.Command('play', callback=lambda: 1 / 0)\n"
        "cli.main(['play'])"
    )
    assert unread("-c", script, stream="stderr").returncode == 5


@pytest.mark.parametrize(
    "error", [BrokenPipeError("a child is gone"), asyncio.IncompleteReadError(b"", 1)]
)
def test_a_lost_connection_is_a_crash(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Click would exit 1 for a broken pipe of ours, and take the end of a stream for Ctrl-C."""

    def breaks() -> None:
        raise error

    monkeypatch.setitem(cli.cli.commands, "breaks", click.Command("breaks", callback=breaks))
    with pytest.raises(SystemExit) as ended:
        cli.main(["breaks"])
    assert ended.value.code == 5
    assert "this is not a verdict" in capsys.readouterr().err
