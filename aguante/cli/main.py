"""``aguante``: the command line. The commands are in ``commands/``."""

import sys
import traceback
from collections.abc import Mapping
from typing import Any, ClassVar

import click

from aguante.cli.broken_pipe import (
    HiddenFromClickError,
    discard_unread_output,
    hidden_from_click,
    is_broken_pipe,
)
from aguante.cli.exit_code import ExitCode
from aguante.cli.first_steps import first_steps
from aguante.cli.lazy_group import LazyCommand, LazyGroup, Sections


class Commands(LazyGroup):
    """Every command of ``aguante``. A new command needs an entry here and a heading in docs/commands.md."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Hide what click would misinterpret."""
        with hidden_from_click():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """Hide what click would misinterpret."""
        with hidden_from_click():
            return super().invoke(ctx)

    sections: ClassVar[Sections] = {
        "Experiments": {
            "validate": LazyCommand(
                "aguante.cli.commands.validate:validate_command",
                "Check experiment files; report every error with its line and fix.",
            ),
            "schema": LazyCommand(
                "aguante.cli.commands.schema:schema_command",
                "Print the JSON Schema of experiments, verdicts or testbeds.",
            ),
            "lint": LazyCommand(
                "aguante.cli.commands.lint:lint_command",
                "Check the timeouts, retries and deadline of policies.",
            ),
            "plan": LazyCommand(
                "aguante.cli.commands.plan:plan_command",
                "Show what a run would do, as a timeline; starts nothing.",
            ),
            "list": LazyCommand(
                "aguante.cli.commands.listing:list_command",
                "List the experiments, or past runs.",
            ),
            "run": LazyCommand(
                "aguante.cli.commands.run:run_command",
                "Run experiments on the real system and print a verdict for each.",
            ),
        },
        "Load": {
            "load": LazyCommand(
                "aguante.cli.commands.load:load_command",
                "Generate load without faults and check it against thresholds.",
            ),
            "saturate": LazyCommand(
                "aguante.cli.commands.saturate:saturate_command",
                "Find the load at which goodput stops growing.",
            ),
        },
        "Results": {
            "explain": LazyCommand(
                "aguante.cli.commands.explain:explain_command",
                "Explain a result, or follow one request through all services.",
            ),
            "verdict": LazyCommand(
                "aguante.cli.commands.report:verdict_command",
                "Judge a run again from its run folder.",
            ),
            "report": LazyCommand(
                "aguante.cli.commands.report:report_command",
                "Write the reports of a run again.",
            ),
            "reopen": LazyCommand(
                "aguante.cli.commands.reopen:reopen_command",
                "Open a past run in Jaeger and Prometheus.",
            ),
            "compare": LazyCommand(
                "aguante.cli.commands.compare:compare_command",
                "Compare two runs, or two policies over interleaved pairs of runs.",
            ),
            "ablate": LazyCommand(
                "aguante.cli.commands.compare:ablate_command",
                "Measure what each resilience pattern contributes.",
            ),
        },
        "Testbeds": {
            "up": LazyCommand(
                "aguante.cli.commands.up:up_command",
                "Start a testbed without load.",
            ),
            "ps": LazyCommand(
                "aguante.cli.commands.up:ps_command",
                "List the running testbeds.",
            ),
            "watch": LazyCommand(
                "aguante.cli.commands.watch:watch_command",
                "Show responses, latency, breakers and faults of a testbed, live.",
            ),
            "inject": LazyCommand(
                "aguante.cli.commands.inject:inject_command",
                "Inject a fault into a link of a running testbed until Ctrl-C.",
            ),
            "heal": LazyCommand(
                "aguante.cli.commands.inject:heal_command",
                "Remove every fault from a running testbed, and verify it.",
            ),
            "audit": LazyCommand(
                "aguante.cli.commands.audit:audit_command",
                "Check the safety invariants of a testbed or a past run.",
            ),
            "reconcile": LazyCommand(
                "aguante.cli.commands.reconcile:reconcile_command",
                "List what was compensated, refunded or sent again, and why.",
            ),
            "down": LazyCommand(
                "aguante.cli.commands.up:down_command",
                "Stop a testbed.",
            ),
        },
        "This machine": {
            "doctor": LazyCommand(
                "aguante.cli.commands.doctor:doctor_command",
                "Check this machine, and show how to get what is missing.",
            ),
            "recover": LazyCommand(
                "aguante.cli.commands.recover:recover_command",
                "Undo the faults that killed runs left behind.",
            ),
            "completion": LazyCommand(
                "aguante.cli.commands.completion:completion_command",
                "Print the completion script for bash, zsh or fish.",
            ),
        },
    }
    old_names: ClassVar[Mapping[str, LazyCommand]] = {
        "observe": LazyCommand(
            "aguante.cli.commands.reopen:observe_command", "The old name of reopen."
        ),
    }


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="aguante")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Test the resilience of a distributed system: inject faults from outside, get a verdict with evidence.

    \b
    First steps:
      aguante doctor                                    check this machine
      aguante run chaos-experiments/payments-slow.yaml  run an experiment; its report is written to runs/
      aguante explain                                   explain the result of the last run

    \b
    Exit codes of every command:
      0    the verdict is the expected one, or the command succeeded
      1    deviated: an expectation was not met, or an invariant was violated
      2    inconclusive: the run proves nothing either way
      3    the experiment file or the command line is invalid; nothing was started
      4    the testbed could not be started, or a fault could not be undone
      5    Aguante itself failed; this is never a verdict
      141  the reader of the output closed it early (`| head`); never a verdict

    Full documentation: docs/commands.md.
    """
    if ctx.invoked_subcommand is None:
        click.echo(first_steps())


def main(args: list[str] | None = None) -> None:
    """Run a command and exit with its code; a crash prints a traceback and exits with 5."""
    code = _exit_code(args)
    discard_unread_output()
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
    except HiddenFromClickError as error:
        return _crash(error.__cause__ or error)
    except Exception as error:  # noqa: BLE001  # a crash must never read as a verdict
        return _code_of(error)
    return code if isinstance(code, int) else ExitCode.OK


def _code_of(error: Exception) -> ExitCode:
    """The exit code of an exception. The imports are here to keep ``--help`` fast."""
    from aguante.run_folder.journal import JournalError
    from aguante.testbed.runtime import TestbedError

    if isinstance(error, TestbedError | JournalError):
        click.echo(f"error: {error}", err=True)
        return ExitCode.TESTBED
    return _crash(error)


def _crash(error: BaseException) -> ExitCode:
    if discard_unread_output() and is_broken_pipe(error):
        return ExitCode.UNREAD
    traceback.print_exception(error)
    click.echo("Aguante crashed; this is not a verdict (exit 5)", err=True)
    return ExitCode.CRASH
