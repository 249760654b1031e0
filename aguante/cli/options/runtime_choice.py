"""Which runtime plays: the options of every command that plays, and the runtime that they choose."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import click

from aguante.testbed.runtime import Runtime

RuntimeName = Literal["native", "compose", "attach"]
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


@dataclass(frozen=True)
class ChosenRuntime:
    """A runtime, before it is made: each run makes its own."""

    name: RuntimeName
    which: str = ""
    """Of ``attach``: which testbed."""
    sidecars: tuple[str, ...] = ()
    """What shall watch a testbed that is started."""

    def make(self, wanted: tuple[str, ...] = (), samples: Path | None = None) -> Runtime:
        """A fresh runtime; what it needs is imported only now.

        Args:
            wanted: sidecars that the experiment needs, besides those that were asked for.
            samples: where Prometheus shall keep its samples.
        """
        if self.name == "compose":
            from aguante.runtimes.compose.compose_runtime import ComposeRuntime

            return ComposeRuntime(sidecars={*self.sidecars, *wanted})
        if self.name == "attach":
            from aguante.runtimes.attach.attach_runtime import AttachRuntime

            return AttachRuntime(self.which)
        from aguante.runtimes.native.native_runtime import NativeRuntime
        from aguante.runtimes.sidecars import Sidecars

        names = frozenset((*self.sidecars, *wanted))
        return NativeRuntime(sidecars=Sidecars(names, samples))

    @property
    def options(self) -> tuple[str, ...]:
        """What a child is given to choose the same."""
        name = () if self.name == "native" else ("--runtime", self.name)
        which = ("--attach", self.which) if self.which else ()
        sidecars = ("--with", ",".join(self.sidecars)) if self.sidecars else ()
        return (*name, *which, *sidecars)


NATIVE = ChosenRuntime("native")


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
