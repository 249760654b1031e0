"""``aguante``: the command line. Exit codes are a contract (see ``ExitCode``); commands live in ``commands/``."""

import sys
import traceback
from enum import IntEnum

import click

from aguante.commands.recover import recover_command
from aguante.commands.run import run_command
from aguante.commands.up import down_command, ps_command, up_command
from aguante.commands.validate import validate_command
from aguante.journal import JournalError
from aguante.runtimes.base import TestbedError


class ExitCode(IntEnum):
    """What the exit code of every command says."""

    OK = 0
    """The verdict was the expected one."""
    DEVIATED = 1
    """An expectation or an invariant was broken."""
    INCONCLUSIVE = 2
    """The run proves nothing, one way or the other."""
    INVALID = 3
    """An experiment file or the usage is wrong; nothing was started."""
    TESTBED = 4
    """The testbed could not be started, or not be healed."""
    CRASH = 5
    """A fault of the runner itself; never a verdict."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="aguante")
def cli() -> None:
    """Break a small distributed system from the outside, and get a verdict with evidence.

    \b
    Exit codes:
      0  the verdict was the expected one
      1  deviated: an expectation or an invariant was broken
      2  inconclusive: the run proves nothing, one way or the other
      3  an invalid experiment file or wrong usage; nothing was started
      4  the testbed could not be started, or not be healed
      5  a crash of the runner itself; never a verdict
    """


for command in (
    run_command,
    validate_command,
    recover_command,
    up_command,
    down_command,
    ps_command,
):
    cli.add_command(command)


def main(args: list[str] | None = None) -> None:
    """Run a command and exit with its code; a crash prints its traceback and exits 5."""
    sys.exit(_exit_code(args))


def _exit_code(args: list[str] | None) -> int:
    try:
        code = cli.main(args, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return ExitCode.INVALID
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return ExitCode.INCONCLUSIVE
    except (TestbedError, JournalError) as error:
        click.echo(f"error: {error}", err=True)
        return ExitCode.TESTBED
    except Exception:  # noqa: BLE001  # the last line of defence: a crash must never read as a verdict
        traceback.print_exc()
        click.echo("the runner crashed; this is no verdict (exit 5)", err=True)
        return ExitCode.CRASH
    return code if isinstance(code, int) else ExitCode.OK
