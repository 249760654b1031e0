"""``aguante up``, ``down``, ``ps``: testbeds without an experiment."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path

import click
from pydantic import TypeAdapter
from rich.table import Table

from aguante.cli.consoles import OutputConsole
from aguante.cli.options.arguments import find_testbed, testbed_option
from aguante.cli.options.completion_names import policies
from aguante.cli.options.runtime_choice import own_runtime_option
from aguante.cli.options.stop_signals import stop_on_signals
from aguante.cli.options.testbed_choice import living_states, one_state, replicas_of
from aguante.cli.options.with_option import with_option
from aguante.runtimes.chosen_runtime import RuntimeName
from aguante.runtimes.compose.compose_runtime import ComposeRuntime
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.runtimes.native.port_map import check_replicas
from aguante.runtimes.sidecars import Sidecars
from aguante.runtimes.teardown import end_testbed
from aguante.runtimes.testbed_state import SavedState, default_parent, living, sweep
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import REPLICAS_MAX

Start = Callable[[], Coroutine[None, None, Testbed]]

TESTBED_FAILED = 4
"""Exit code of ``cli.ExitCode.TESTBED``; named here since the command line imports this module."""


@click.command("up")
@testbed_option
@click.option(
    "--policy",
    default="default",
    show_default=True,
    shell_complete=policies,
    help="Name of a resilience policy.",
)
@click.option(
    "--replicas",
    metavar="SERVICE=N",
    multiple=True,
    callback=replicas_of,
    help=f"Start N of a service (1 to {REPLICAS_MAX}) instead of one; may be repeated.",
)
@own_runtime_option
@with_option
@click.option("--otlp", default="", metavar="URL", help="OTLP/HTTP collector for the traces.")
@click.option(
    "--gateway-port",
    type=click.IntRange(1, 65535),
    help="Where the gateway's proxied entry listens; default: a free port.",
)
@click.option("--detach", is_flag=True, help="Leave it running until `aguante down`.")
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
    """Start a testbed: five services, PostgreSQL and Toxiproxy, on loopback.

    As plain processes, or with --runtime compose each in a container. `aguante run --attach ID` plays on it.
    --with adds a Prometheus that scrapes it and a Jaeger that is sent its spans; natively both are found as
    Toxiproxy is, or built once (some minutes).

    Stays until Ctrl-C, then ends it; with --detach it goes on until `aguante down`.
    Exit 4: it could not be started; everything already started was taken down again.
    """
    spec = find_testbed(testbed)
    try:
        check_replicas(spec, replicas)
    except TestbedError as error:
        raise click.UsageError(str(error)) from error
    if otlp and "jaeger" in sidecars.names:
        message = "--otlp names another collector than --with jaeger starts: give one of them"
        raise click.UsageError(message)
    if otlp and runtime_name == "compose":
        message = "--otlp is for plain processes: in containers JAEGER_OTLP of the relay says where spans go"
        raise click.UsageError(message)
    runtime: NativeRuntime | ComposeRuntime
    if runtime_name == "compose":
        runtime = ComposeRuntime(gateway_port=gateway_port, detach=detach, sidecars=sidecars.names)
    else:
        runtime = NativeRuntime(
            gateway_port=gateway_port, detach=detach, relay=True, sidecars=sidecars
        )
    starting = partial(runtime.up, spec, policy, otlp, replicas)
    try:
        return asyncio.run(_up(runtime, starting, stay=not detach, as_json=as_json))
    except TestbedError as error:
        click.echo(f"error: {error}", err=True)
        return TESTBED_FAILED


@click.command("down")
@click.argument("testbed_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="End all of them.")
def down_command(testbed_id: str | None, every: bool) -> int:
    """End the testbed ID (see `aguante ps`); without ID the only one there is.

    Exit 4: one could not be ended. What killed runs left behind is removed too.
    """
    chosen = living_states() if every else (one_state(testbed_id, "or --all"),)
    try:
        asyncio.run(_down(chosen))
    except TestbedError as error:
        click.echo(f"error: {error}", err=True)
        return TESTBED_FAILED
    return 0


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print all addresses and pids as JSON.")
def ps_command(as_json: bool) -> int:
    """List the testbeds that run."""
    states = tuple(living(default_parent()))
    if as_json:
        testbeds = [state.testbed for state in states if state.testbed]
        click.echo(TypeAdapter(list[Testbed]).dump_json(testbeds, indent=2).decode())
    else:
        OutputConsole().print(_list_of(states) if states else "no testbed runs")
    return 0


async def _up(
    runtime: NativeRuntime | ComposeRuntime, start: Start, *, stay: bool, as_json: bool
) -> int:
    with stop_on_signals() as stop:
        testbed = await _unless(stop, start)
        if testbed is None:
            return 0
        try:
            _show(testbed, as_json)
            if stay:
                click.echo("Ctrl-C ends it.", err=True)
                await stop.wait()
        finally:
            if stay:
                await runtime.down()
    return 0


async def _unless(stop: asyncio.Event, start: Start) -> Testbed | None:
    """Start, but give up as soon as ``stop`` is set; ``up`` then takes down what it had started."""
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
        await end_testbed(state)
        click.echo(f"{state.id} ended")
    await sweep(default_parent())


def _show(testbed: Testbed, as_json: bool) -> None:
    if as_json:
        click.echo(testbed.model_dump_json(indent=2))
        return
    table = Table(title=f"testbed {testbed.id}, policy {testbed.policy}", title_justify="left")
    for column in ("what", "address", "pid or upstream"):
        table.add_column(column, overflow="fold")  # an address cut short is of no use
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
    table.add_row("logs", logs, "")
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


_SHORT_LIVED = ("initdb", "createdb")
