"""Which runtime plays: the options of every command that plays, and the runtime that they choose."""

from collections.abc import Callable, Collection
from typing import TypeVar

import click

from aguante.runtimes.chosen_runtime import ChosenRuntime, RuntimeName

Command = TypeVar("Command", bound=Callable[..., object])

runtime_option = click.option(
    "--runtime",
    "runtime_name",
    type=click.Choice(("native", "compose", "attach")),
    help="native (default): plain processes; compose: containers; attach: a testbed that runs.",
)
own_runtime_option = click.option(
    "--runtime",
    "runtime_name",
    type=click.Choice(("native", "compose")),
    help="native (default): plain processes; compose: containers. A testbed that runs has one policy alone.",
)
attach_option = click.option(
    "--attach",
    metavar="WHICH",
    help="Play on a testbed that runs, and leave it as it was: its ID (`aguante ps`), a Compose project, or "
    "FILE or - with what `aguante up --json` printed.",
)


def chosen(
    runtime_name: RuntimeName | None,
    attach: str | None,
    *,
    at_once: int = 1,
    sidecars: Collection[str] = (),
) -> ChosenRuntime:
    """What both options choose together.

    Args:
        runtime_name: as given, or None.
        attach: as given, or None.
        at_once: how many runs are to be played at the same time.
        sidecars: what shall watch the testbed.

    Raises:
        click.UsageError: they contradict each other, or several runs want the one testbed at once.
    """
    if attach is not None and runtime_name not in (None, "attach"):
        message = f"--attach plays on a testbed that runs, --runtime {runtime_name} starts one: give one of them"
        raise click.UsageError(message)
    name: RuntimeName = "attach" if attach is not None else runtime_name or "native"
    if name == "attach" and at_once > 1:
        message = "one testbed plays one run at a time: leave out --jobs, or --attach"
        raise click.UsageError(message)
    if sidecars and name == "attach":
        message = "--with is for a testbed that is started: one that runs has it or not"
        raise click.UsageError(message)
    return ChosenRuntime(name, attach or "", tuple(sorted(sidecars)))


def refuse_stdin(runtime: ChosenRuntime) -> None:
    """Standard input can be read once.

    Raises:
        click.UsageError: several runs would read it.
    """
    if runtime.which == "-":
        message = "--attach - serves one run: several want a file, an ID or a project"
        raise click.UsageError(message)
