"""``aguante``: the command line. Exit codes are a contract (see ``ExitCode``); commands live in ``commands/``."""

import sys
import traceback
from enum import IntEnum
from typing import Any, ClassVar

import click

from aguante.cli.broken_pipe import UnheardError, is_broken_pipe, kept_from_click, nobody_reads
from aguante.cli.lazy import LazyCommand, LazyGroup, Sections


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
    UNREAD = 141
    """Whoever read the output left before its end (``| head``), as SIGPIPE ends a program; never a verdict."""


class Commands(LazyGroup):
    """Every command of ``aguante``. A new one is one line here, and one heading in docs/commands.md."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As click does, but for what it would misread."""
        with kept_from_click():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """As click does, but for what it would misread."""
        with kept_from_click():
            return super().invoke(ctx)

    sections: ClassVar[Sections] = {
        "Experiments": {
            "validate": LazyCommand(
                "aguante.cli.commands.validate:validate_command",
                "Check experiment files: every fault at once, with line and fix.",
            ),
            "schema": LazyCommand(
                "aguante.cli.commands.schema:schema_command",
                "Print the JSON Schema of experiments, verdicts or testbeds.",
            ),
            "lint": LazyCommand(
                "aguante.cli.commands.lint:lint_command",
                "Check policies: what their timeouts, retries and deadline amount to.",
            ),
            "plan": LazyCommand(
                "aguante.cli.commands.plan:plan_command",
                "Show what a run would do, as a time line; starts nothing.",
            ),
            "list": LazyCommand(
                "aguante.cli.commands.listing:list_command",
                "List experiments by title, tags and policy; or past runs.",
            ),
            "run": LazyCommand(
                "aguante.cli.commands.run:run_command",
                "Play experiments on the real system; print verdicts, exit by them.",
            ),
        },
        "Load": {
            "load": LazyCommand(
                "aguante.cli.commands.load:load_command",
                "Offer load without any fault, and judge by thresholds.",
            ),
            "saturate": LazyCommand(
                "aguante.cli.commands.saturate:saturate_command",
                "Find the load at which goodput stops following, with and without a pattern.",
            ),
        },
        "Results": {
            "explain": LazyCommand(
                "aguante.cli.commands.explain:explain_command",
                "Why a run went as it did: an expectation, or one request through all parts.",
            ),
            "verdict": LazyCommand(
                "aguante.cli.commands.report:verdict_command",
                "Judge a run again, from its folder alone.",
            ),
            "report": LazyCommand(
                "aguante.cli.commands.report:report_command", "Write the reports of a run again."
            ),
            "observe": LazyCommand(
                "aguante.cli.commands.observe:observe_command",
                "Open a run in Jaeger and Prometheus, to be searched and asked.",
            ),
            "compare": LazyCommand(
                "aguante.cli.commands.compare:compare_command",
                "Compare two runs, or two policies over interleaved pairs.",
            ),
            "ablate": LazyCommand(
                "aguante.cli.commands.compare:ablate_command",
                "What each pattern is worth: every policy against the default.",
            ),
        },
        "Testbeds": {
            "up": LazyCommand(
                "aguante.cli.commands.up:up_command", "Start a testbed to look at, without load."
            ),
            "ps": LazyCommand("aguante.cli.commands.up:ps_command", "List the testbeds that run."),
            "watch": LazyCommand(
                "aguante.cli.commands.watch:watch_command",
                "What a testbed does now: answers, latency, breakers, faults.",
            ),
            "inject": LazyCommand(
                "aguante.cli.commands.inject:inject_command",
                "Break one link of a running testbed by hand; Ctrl-C heals.",
            ),
            "heal": LazyCommand(
                "aguante.cli.commands.inject:heal_command",
                "Take every fault off a running testbed, and verify it.",
            ),
            "audit": LazyCommand(
                "aguante.cli.commands.audit:audit_command",
                "Check every safety invariant on the databases of a testbed, or of a run.",
            ),
            "reconcile": LazyCommand(
                "aguante.cli.commands.reconcile:reconcile_command",
                "List what was compensated, refunded or sent again, and why.",
            ),
            "down": LazyCommand("aguante.cli.commands.up:down_command", "End a testbed."),
        },
        "This machine": {
            "doctor": LazyCommand(
                "aguante.cli.commands.doctor:doctor_command",
                "What is here, what is missing, and how to get it.",
            ),
            "recover": LazyCommand(
                "aguante.cli.commands.recover:recover_command", "Heal what killed runs left behind."
            ),
            "completion": LazyCommand(
                "aguante.cli.commands.completion:completion_command",
                "Print the script that completes commands in bash, zsh or fish.",
            ),
        },
    }


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="aguante")
def cli() -> None:
    """Break a small distributed system from the outside, and get a verdict with evidence.

    \b
    Begin with:
      aguante doctor                                   what is here, and what is missing
      aguante run chaos-experiments/payments-slow.yaml play an experiment; its report is in runs/
      aguante explain                                  why the last run went as it did

    \b
    Exit codes, of every command:
      0  the verdict was the expected one; the command did what it should
      1  deviated: an expectation or an invariant was broken
      2  inconclusive: the run proves nothing, one way or the other
      3  an invalid experiment file or wrong usage; nothing was started
      4  the testbed could not be started, or not be healed
      5  a crash of the runner itself; never a verdict
      141  nobody read the output to its end (`| head`); never a verdict

    Everything in full: docs/commands.md.
    """


def main(args: list[str] | None = None) -> None:
    """Run a command and exit with its code; a crash prints its traceback and exits 5."""
    code = _exit_code(args)
    nobody_reads()
    sys.exit(code)


def _exit_code(args: list[str] | None) -> int:
    try:
        code = cli.main(args, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return ExitCode.INVALID
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return ExitCode.INCONCLUSIVE
    except UnheardError as error:
        return _crash(error.__cause__ or error)
    except Exception as error:  # noqa: BLE001  # the last line of defence: a crash must never read as a verdict
        return _code_of(error)
    return code if isinstance(code, int) else ExitCode.OK


def _code_of(error: Exception) -> ExitCode:
    """Imported here: whoever asks for help alone needs none of it."""
    from aguante.run_folder.journal import JournalError
    from aguante.testbed.runtime import TestbedError

    if isinstance(error, TestbedError | JournalError):
        click.echo(f"error: {error}", err=True)
        return ExitCode.TESTBED
    return _crash(error)


def _crash(error: BaseException) -> ExitCode:
    if nobody_reads() and is_broken_pipe(error):
        return ExitCode.UNREAD
    traceback.print_exception(error)
    click.echo("the runner crashed; this is no verdict (exit 5)", err=True)
    return ExitCode.CRASH
