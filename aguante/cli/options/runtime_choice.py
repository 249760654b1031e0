"""The options that choose a runtime, and the runtime that they choose."""

from collections.abc import Callable, Collection
from typing import TypeVar

import click

from aguante.runtimes.chosen_runtime import ChosenRuntime, RuntimeName

Command = TypeVar("Command", bound=Callable[..., object])

runtime_option = click.option(
    "--runtime",
    "runtime_name",
    type=click.Choice(("native", "compose", "attach")),
    help="native (default): plain processes; compose: containers; attach: a running testbed.",
)
own_runtime_option = click.option(
    "--runtime",
    "runtime_name",
    type=click.Choice(("native", "compose")),
    help="native (default): plain processes; compose: containers. A running testbed cannot change its policy.",
)


def _note_old_name(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        click.echo("--testbed-id is now called --attach.", err=True)
        ctx.meta[_OLD_NAME] = value


def _attach(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    old: str | None = ctx.meta.get(_OLD_NAME)
    return old if value is None else value


_OLD_NAME = "aguante.testbed_id"
attach_option = click.option(
    "--attach",
    metavar="WHICH",
    callback=_attach,
    help="Use a running testbed and leave it as it was: an ID from `aguante ps`, a Compose project, or "
    "FILE or - with the output of `aguante up --json`.",
)
old_attach_option = click.option(
    "--testbed-id", hidden=True, is_eager=True, expose_value=False, callback=_note_old_name
)
"""The name of ``--attach`` in 0.1, for `inject` and `heal`."""


def chosen(
    runtime_name: RuntimeName | None,
    attach: str | None,
    *,
    at_once: int = 1,
    sidecars: Collection[str] = (),
) -> ChosenRuntime:
    """Combine ``--runtime``, ``--attach`` and ``--with``.

    Args:
        runtime_name: of ``--runtime``.
        attach: of ``--attach``.
        at_once: number of concurrent runs.
        sidecars: of ``--with``.

    Raises:
        click.UsageError: the options contradict each other, or concurrent runs would share one testbed.
    """
    if attach is not None and runtime_name not in (None, "attach"):
        message = f"--attach uses a running testbed, --runtime {runtime_name} starts a new one: give only one of them"
        raise click.UsageError(message)
    name: RuntimeName = "attach" if attach is not None else runtime_name or "native"
    if name == "attach" and at_once > 1:
        message = "a testbed can serve only one run at a time: omit --jobs or --attach"
        raise click.UsageError(message)
    if sidecars and name == "attach":
        message = (
            "--with works only for a testbed that this command starts: omit --with or --attach"
        )
        raise click.UsageError(message)
    return ChosenRuntime(name, attach or "", tuple(sorted(sidecars)))


def refuse_stdin(runtime: ChosenRuntime) -> None:
    """Reject ``--attach -`` for several runs, since standard input can be read only once.

    Raises:
        click.UsageError: the runtime reads standard input.
    """
    if runtime.which == "-":
        message = "--attach - works for a single run only: give a file, an ID or a project instead"
        raise click.UsageError(message)
