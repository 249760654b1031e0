"""``aguante reopen``: a past run in Prometheus and Jaeger."""

import asyncio
import contextlib
from pathlib import Path

import click

from aguante.cli.options.run_folders import run_folder
from aguante.cli.options.runs_option import runs_option
from aguante.cli.options.stop_signals import stop_on_signals
from aguante.cli.render.elapsed import elapsed_line
from aguante.run.reopen import opened
from aguante.run_folder.folder import RunFolder


@click.command("reopen")
@click.argument("run", metavar="[RUN]", required=False)
@runs_option
def reopen_command(run: str | None, runs: Path) -> int:
    """Open RUN in Jaeger, and in Prometheus if its samples were recorded, until Ctrl-C.

    Every run folder contains the spans. It contains Prometheus samples if the run was started with
    --with prometheus, or if its experiment has a `promql` expectation. RUN as for `aguante report`.

    Exit 3: no such run; 4: a server could not be started.
    """
    asyncio.run(_serve(RunFolder(run_folder(run, runs))))
    return 0


@click.command("observe", hidden=True, params=reopen_command.params)
def observe_command(run: str | None, runs: Path) -> int:
    """The old name of `aguante reopen`."""
    click.echo("`aguante observe` is now called `aguante reopen`.", err=True)
    asyncio.run(_serve(RunFolder(run_folder(run, runs))))
    return 0


async def _serve(folder: RunFolder) -> None:
    async with contextlib.AsyncExitStack() as stack:
        stop = stack.enter_context(stop_on_signals())
        with elapsed_line("Starting Jaeger and Prometheus ..."):
            where = await stack.enter_async_context(opened(folder))
        click.echo(f"Jaeger      {where.jaeger}")
        click.echo(f"Prometheus  {where.prometheus or '(no samples: run with --with prometheus)'}")
        click.echo("Press Ctrl-C to end.", err=True)
        await stop.wait()
