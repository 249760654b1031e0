"""``aguante watch``: a live view of a testbed in the terminal."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.live import Live

from aguante.cli.consoles import output_console
from aguante.cli.options.duration import Duration
from aguante.cli.options.running_testbeds import attached, living_states, which_argument
from aguante.cli.options.runtime_choice import attach_option
from aguante.cli.options.stop_signals import stop_on_signals
from aguante.cli.options.testbed_option import find_testbed, testbed_option
from aguante.cli.render.live.draw_picture import PAST_MAX, draw
from aguante.cli.render.live.picture import Picture, draw_up
from aguante.cli.render.live.read_testbed import read, session
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

GONE_AFTER = 5
"""Consecutive readings without any response."""


@click.command("watch")
@which_argument
@attach_option
@testbed_option
@click.option("--once", is_flag=True, help="Print a single picture and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print each picture as one line of JSON.")
@click.option(
    "--every",
    "every_s",
    type=Duration(0.5, 60),
    default="1s",
    show_default=True,
    help="Time between two readings; rates are averages over it.",
)
def watch_command(
    which: str | None,
    attach: str | None,
    testbed: Path | None,
    once: bool,
    as_json: bool,
    every_s: float,
) -> int:
    """Watch a testbed. WHICH is an ID from `aguante ps`, a Compose project, or FILE; default: the only running one.

    Shows responses by status and mechanism, latency, breakers, retries, requests in flight, and active faults. The
    data comes directly from the services and Toxiproxy; neither Prometheus nor Grafana is needed. Also works during
    `aguante run`. Ctrl-C ends the view; the testbed keeps running.

    Exit 4: the testbed has ended.
    """
    spec, named = find_testbed(testbed), which or attach
    saved = [each.up for each in living_states() if named in (None, each.id)]
    # The saved state lists services that an experiment has stopped, too.
    running = saved[0] if len(saved) == 1 else attached(which, attach, spec)
    asyncio.run(_show(_pictures(running, spec, every_s), once=once, as_json=as_json))
    return 0


async def _show(pictures: AsyncIterator[Picture], *, once: bool, as_json: bool) -> None:
    """Print every picture, or only the first with ``once``; on a terminal, redraw in place."""
    console = output_console()
    past: deque[Picture] = deque(maxlen=PAST_MAX)
    live = console.is_terminal and not (once or as_json)
    with Live(console=console, auto_refresh=False, screen=live) as screen:
        async for picture in pictures:
            past.append(picture)
            if as_json:
                click.echo(picture.model_dump_json())
            elif live:
                screen.update(draw(past), refresh=True)
            else:
                console.print(draw(past))
            if once:
                return


async def _pictures(testbed: Testbed, spec: TestbedSpec, every_s: float) -> AsyncIterator[Picture]:
    """One picture every ``every_s`` until a signal; raises TestbedError when the testbed stops responding."""
    entry = next(link.callee for link in spec.links if link.name == spec.entry)
    with stop_on_signals() as stop:
        async with session() as http:
            before, silent = await read(http, testbed, time.monotonic()), 0
            while not await _stopped(stop, every_s - (time.monotonic() - before.at_s)):
                after = await read(http, testbed, time.monotonic())
                silent = silent + 1 if after.nothing else 0
                if silent >= GONE_AFTER:
                    message = f"testbed {testbed.id} no longer responds: see `aguante ps`"
                    raise TestbedError(message)
                at = datetime.now(UTC).isoformat(timespec="milliseconds")
                yield draw_up(testbed.id, entry, at, before, after)
                before = after


async def _stopped(stop: asyncio.Event, wait_s: float) -> bool:
    """Wait; True as soon as ``stop`` is set."""
    try:
        await asyncio.wait_for(stop.wait(), max(wait_s, 0.01))
    except TimeoutError:
        return False
    return True
