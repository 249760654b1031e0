"""``aguante observe``: Prometheus and Jaeger, opened on a run that is over."""

import asyncio
from pathlib import Path

import click

from aguante.cli.options.run_folders import run_folder, runs_option
from aguante.cli.options.stop_signals import stop_on_signals
from aguante.run.reopen import opened
from aguante.run_folder.folder import RunFolder


@click.command("observe")
@click.argument("run", metavar="[RUN]", required=False)
@runs_option
def observe_command(run: str | None, runs: Path) -> int:
    """Open RUN in Jaeger, and in Prometheus where it was played with one, until Ctrl-C.

    Every run keeps its spans; its samples it keeps when it was played with --with prometheus, or when its
    experiment has a `promql` expectation. RUN as for `aguante report`. Exit 3: no such run; 4: a server
    could not be started.
    """
    folder = RunFolder(run_folder(run, runs))
    asyncio.run(_observe(folder))
    return 0


async def _observe(folder: RunFolder) -> None:
    with stop_on_signals() as stop:
        async with opened(folder) as where:
            without = "(the run was played without it: --with prometheus)"
            click.echo(f"Jaeger      {where.jaeger}")
            click.echo(f"Prometheus  {where.prometheus or without}")
            click.echo("Ctrl-C ends it.", err=True)
            await stop.wait()
