"""``aguante up``, ``down`` and ``ps``: testbeds without an experiment."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path

import click
from pydantic import TypeAdapter
from rich.markup import escape
from rich.table import Table

from aguante.cli.consoles import OutputConsole
from aguante.cli.diagnose.process_limits import require_process_limits
from aguante.cli.options.completion_names import policies
from aguante.cli.options.running_testbeds import living_states, one_state
from aguante.cli.options.runtime_choice import own_runtime_option
from aguante.cli.options.stop_signals import stop_on_signals
from aguante.cli.options.testbed_option import find_testbed, testbed_option
from aguante.cli.options.with_option import with_option
from aguante.cli.render.elapsed import elapsed_line
from aguante.runtimes.chosen_runtime import RuntimeName
from aguante.runtimes.compose.compose_runtime import ComposeRuntime
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.runtimes.sidecars import Sidecars
from aguante.runtimes.teardown import end_testbed
from aguante.runtimes.testbed_state import SavedState, default_parent, live_testbeds, sweep
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import REPLICAS_MAX
from aguante.testbed.up_arguments import check_replicas

_SHORT_LIVED = ("initdb", "createdb")
"""Processes that prepare a database and then end."""

Start = Callable[[], Coroutine[None, None, Testbed]]


def replicas_of(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, int]:
    """``inventory=2`` -> ``{"inventory": 2}``; ``check_replicas`` checks the names.

    Raises:
        click.BadParameter: wrong syntax, or a number out of range.
    """
    replicas = {}
    for each in given:
        name, _, number = each.partition("=")
        counts = number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= REPLICAS_MAX
        if not (name and counts):
            message = f"found {each!r}, expected SERVICE=N with N from 1 to {REPLICAS_MAX}"
            raise click.BadParameter(message)
        replicas[name] = int(number)
    return replicas


@click.command("up")
@testbed_option
@click.option(
    "--policy",
    default="default",
    show_default=True,
    shell_complete=policies,
    help="The resilience policy.",
)
@click.option(
    "--replicas",
    metavar="SERVICE=N",
    multiple=True,
    callback=replicas_of,
    help=f"Start N replicas of a service (1 to {REPLICAS_MAX}) instead of one; repeatable.",
)
@own_runtime_option
@with_option
@click.option(
    "--otlp", default="", metavar="URL", help="Also send traces to this OTLP/HTTP collector."
)
@click.option(
    "--gateway-port",
    type=click.IntRange(1, 65535),
    help="Port of the proxied entry of the gateway; default: a free port.",
)
@click.option(
    "--detach", is_flag=True, help="Return at once and keep it running until `aguante down`."
)
@click.option("--json", "as_json", is_flag=True, help="Print all addresses and pids as JSON.")
def up_command(  # noqa: PLR0913 - an argument for each option
    testbed: Path | None,
    policy: str,
    replicas: dict[str, int],
    runtime_name: RuntimeName | None,
    sidecars: Sidecars,
    otlp: str,
    gateway_port: int | None,
    detach: bool,
    as_json: bool,
) -> int:
    """Start a testbed on loopback: the services, PostgreSQL and Toxiproxy.

    They are plain processes, or containers with --runtime compose. `aguante run --attach ID` runs an experiment on
    the testbed. --with adds a Prometheus that scrapes it and a Jaeger that receives its spans; a native testbed
    finds both on this machine, or builds them once (some minutes).

    The testbed runs until Ctrl-C; with --detach, until `aguante down`.

    Exit 4: it could not be started; everything already started was stopped again.
    """
    spec = find_testbed(testbed)
    try:
        check_replicas(spec, replicas)
    except TestbedError as error:
        raise click.UsageError(str(error)) from error
    if otlp and "jaeger" in sidecars.names:
        message = "--otlp and --with jaeger name different collectors: give only one of them"
        raise click.UsageError(message)
    if otlp and runtime_name == "compose":
        message = "--otlp works only natively: in containers, set JAEGER_OTLP of the relay instead"
        raise click.UsageError(message)
    require_process_limits(runtime_name or "native", spec)
    runtime: NativeRuntime | ComposeRuntime
    if runtime_name == "compose":
        runtime = ComposeRuntime(gateway_port=gateway_port, detach=detach, sidecars=sidecars.names)
    else:
        runtime = NativeRuntime(
            gateway_port=gateway_port, detach=detach, relay=True, sidecars=sidecars
        )
    starting = partial(runtime.up, spec, policy, otlp, replicas)
    return asyncio.run(_up(runtime, starting, stay=not detach, as_json=as_json))


@click.command("down")
@click.argument("testbed_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="Stop all testbeds.")
def down_command(testbed_id: str | None, every: bool) -> int:
    """Stop the testbed ID (see `aguante ps`); default: the only running one.

    Also removes testbeds that killed runs left behind. Exit 4: one could not be stopped.
    """
    chosen = living_states() if every else (one_state(testbed_id),)
    asyncio.run(_down(chosen))
    return 0


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print all addresses and pids as JSON.")
def ps_command(as_json: bool) -> int:
    """List the running testbeds."""
    states = tuple(live_testbeds(default_parent()))
    if as_json:
        testbeds = [state.testbed for state in states if state.testbed]
        click.echo(TypeAdapter(list[Testbed]).dump_json(testbeds, indent=2).decode())
    else:
        OutputConsole().print(_list_of(states) if states else "no testbed is running")
    return 0


async def _up(
    runtime: NativeRuntime | ComposeRuntime, start: Start, *, stay: bool, as_json: bool
) -> int:
    with stop_on_signals() as stop:
        with elapsed_line("Starting the testbed ..."):
            testbed = await _unless(stop, start)
        if testbed is None:
            return 0
        try:
            _show(testbed, as_json)
            if stay:
                click.echo("Press Ctrl-C to stop it.", err=True)
                await stop.wait()
        finally:
            if stay:
                await runtime.down()
    return 0


async def _unless(stop: asyncio.Event, start: Start) -> Testbed | None:
    """Start a testbed; None if ``stop`` is set first, in which case ``up`` stops what it had started."""
    starting = asyncio.create_task(start())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
    return None if starting.cancelled() else starting.result()


async def _down(states: Sequence[SavedState]) -> None:
    for state in states:
        with elapsed_line(f"Stopping {state.id} ..."):
            await end_testbed(state)
        click.echo(f"{state.id} stopped")
    await sweep(default_parent())


def _show(testbed: Testbed, as_json: bool) -> None:
    if as_json:
        click.echo(testbed.model_dump_json(indent=2))
        return
    table = Table(title=f"testbed {testbed.id}, policy {testbed.policy}", title_justify="left")
    for column in ("what", "address", "pid or upstream"):
        table.add_column(column, overflow="fold")  # a truncated address is useless
    table.add_row("gateway (through its proxy)", testbed.gateway, "")
    for service in testbed.services:
        table.add_row(service.instance, service.url, service.container or str(service.pid))
    for link in testbed.links:
        table.add_row(link.name, link.listen, f"-> {link.upstream}")
    for database in testbed.databases:
        table.add_row(f"database {database.name}", database.dsn, _server(testbed, "postgres"))
    table.add_row("Toxiproxy's API", testbed.toxiproxy, _server(testbed, "toxiproxy"))
    for name, address in (("Prometheus", testbed.prometheus), ("Jaeger", testbed.jaeger)):
        if address:
            table.add_row(name, address, "")
    logs = (
        "docker logs <container>" if testbed.runtime == "compose" else str(testbed.state / "logs")
    )
    table.add_row("logs", escape(logs), "")
    OutputConsole().print(table)


def _server(testbed: Testbed, name: str) -> str:
    return f"{testbed.id}-{name}-1" if testbed.runtime == "compose" else str(testbed.servers[name])


def _list_of(states: Sequence[SavedState]) -> Table:
    table = Table()
    for column in ("id", "gateway", "policy", "state", "processes"):
        table.add_column(column)
    for state in states:
        alive = sum(each.alive() for each in state.processes if each.name not in _SHORT_LIVED)
        total = sum(each.name not in _SHORT_LIVED for each in state.processes)
        testbed, how = state.testbed, "detached" if state.detached else "attached"
        table.add_row(
            state.id,
            testbed.gateway if testbed else "(starting)",
            testbed.policy if testbed else "",
            how,
            "containers: docker ps" if state.project else f"{alive} of {total} alive",
        )
    return table
