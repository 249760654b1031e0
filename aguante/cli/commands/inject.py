"""``aguante inject`` and ``aguante heal``: inject a fault into a running testbed by hand, and remove faults."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path

import click

from aguante.cli.exit_code import ExitCode
from aguante.cli.options import completion_names as names
from aguante.cli.options.duration import Duration
from aguante.cli.options.running_testbeds import attached
from aguante.cli.options.runs_option import runs_option
from aguante.cli.options.runtime_choice import attach_option, old_attach_option
from aguante.cli.options.stop_signals import stop_on_signals
from aguante.cli.options.testbed_option import find_testbed, testbed_option
from aguante.drivers.driver import FaultError
from aguante.plan.build import new_run_id
from aguante.run.fault_executor import HealError
from aguante.run.manual_fault import (
    HOLD_MAX_S,
    Injection,
    WrongValuesError,
    fault_on_link,
    heal_testbed,
    hold,
)


@click.command("inject")
@click.argument("link", shell_complete=names.links)
@click.argument("toxic", shell_complete=names.toxics)
@click.argument("values", nargs=-1, metavar="[VALUE] [NAME=VALUE...]")
@click.option(
    "--for",
    "for_s",
    type=Duration(max_s=HOLD_MAX_S, above_0=True),
    default=HOLD_MAX_S,
    help="Remove the fault after this time, e.g. 30s or 2m.",
)
@click.option(
    "--upstream", is_flag=True, help="Affect requests to the callee; default: its responses."
)
@click.option(
    "--toxicity",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of affected connections (not requests).",
)
@attach_option
@old_attach_option
@testbed_option
@runs_option
def inject_command(  # noqa: PLR0913 - an argument for each option
    link: str,
    toxic: str,
    values: tuple[str, ...],
    for_s: float,
    upstream: bool,
    toxicity: float,
    attach: str | None,
    testbed: Path | None,
    runs: Path,
) -> int:
    """Inject TOXIC into LINK of a running testbed until Ctrl-C or --for, then remove it and verify that.

    \b
      aguante inject reservations-payments latency 3500 jitter_ms=200 --for 30s
      aguante inject inventory-db down

    Start a testbed with `aguante up` in another terminal. As in a run, the undo is journaled before the fault is
    injected: `aguante recover` removes the fault if this command is killed, and `aguante heal` does so at any time.

    Exit 0: injected and removed; 3: wrong usage; 4: the fault could not be injected or removed.
    """
    running = attached(None, attach, find_testbed(testbed))
    links = sorted(each.name for each in running.links)
    if link not in links:
        message = f"there is no link {link!r}; there are: {', '.join(links)}"
        raise click.UsageError(message)
    try:
        fault = fault_on_link(link, toxic, values, upstream=upstream, toxicity=toxicity)
    except WrongValuesError as error:
        raise click.UsageError(str(error)) from error
    run_id = new_run_id(f"inject-{link}", datetime.now(UTC), secrets.token_hex(2))
    injection = Injection(run_id, running.toxiproxy, fault, for_s)

    async def work() -> None:
        with stop_on_signals() as stop:
            await hold(injection, runs, stop, click.echo)

    return _or_testbed_failed(work)


@click.command("heal")
@click.argument("links", nargs=-1, metavar="[LINK...]", shell_complete=names.links)
@attach_option
@old_attach_option
@testbed_option
def heal_command(links: tuple[str, ...], attach: str | None, testbed: Path | None) -> int:
    """Remove every toxic from a running testbed and enable every proxy; with LINKs, only on these.

    A running `aguante inject` notices this and ends. Do not use it on the testbed of a run: the run would become
    inconclusive.

    Exit 0: no fault is left (verified); 4: a fault could not be removed.
    """
    running = attached(None, attach, find_testbed(testbed))

    async def work() -> None:
        healed = await heal_testbed(running.toxiproxy, links)
        click.echo("\n".join(healed) if healed else "nothing to heal")

    return _or_testbed_failed(work)


def _or_testbed_failed(work: Callable[[], Coroutine[None, None, None]]) -> int:
    try:
        asyncio.run(work())
    except (FaultError, HealError) as error:
        click.echo(f"error: {error}", err=True)
        return ExitCode.TESTBED
    return ExitCode.OK
