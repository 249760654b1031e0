"""``aguante observe``: Prometheus and Jaeger, opened on a run that is over."""

import asyncio
import signal
from pathlib import Path

import click

from aguante.commands.folders import run_folder, runs_option
from aguante.observe import opened
from aguante.runfolder import RunFolder
from aguante.runtimes.base import TestbedError

TESTBED_FAILED = 4
"""Exit code of ``cli.ExitCode.TESTBED``; named here since the command line imports this module."""


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
    try:
        asyncio.run(_observe(folder))
    except TestbedError as error:
        click.echo(f"error: {error}", err=True)
        return TESTBED_FAILED
    return 0


async def _observe(folder: RunFolder) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(folder) as where:
        click.echo(f"Jaeger      {where.jaeger}")
        without = "(the run was played without it: --with prometheus)"
        click.echo(f"Prometheus  {where.prometheus or without}")
        click.echo("Ctrl-C ends it.", err=True)
        await stop.wait()
