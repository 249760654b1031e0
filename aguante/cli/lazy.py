"""A group of commands that imports a command only when it is used: ``--help`` and ``down`` stay quick.

The runner's libraries (DuckDB, pydantic, the chart library) take most of a second to import; a table of
names and one-line helps takes none.
"""

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import click
from click.shell_completion import CompletionItem


@dataclass(frozen=True)
class LazyCommand:
    """Where a command is, and what the list of commands says of it."""

    where: str
    """``module:attribute``."""
    help: str
    """One line."""


Sections = Mapping[str, Mapping[str, LazyCommand]]
"""Title of a section of ``--help`` -> its commands by name, in the order in which they are shown."""


class LazyGroup(click.Group):
    """A click group over a table of commands; what is added as usual works beside it."""

    sections: ClassVar[Sections] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order of the sections."""
        table = [name for commands in self.sections.values() for name in commands]
        return [*table, *(name for name in super().list_commands(ctx) if name not in table)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None for an unknown name."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            return found
        for commands in self.sections.values():
            if cmd_name in commands:
                return _imported(commands[cmd_name].where)
        return None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names and helps from the table: pressing Tab imports nothing. Options as click has them."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        return options + [
            CompletionItem(name, help=each.help)
            for commands in self.sections.values()
            for name, each in commands.items()
            if name.startswith(incomplete)
        ]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown name is answered with the nearest one.

        Raises:
            click.UsageError: there is no such command.
        """
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            hint = f"Did you mean {near[0]!r}?" if near else "See `aguante --help`."
            message = f"No such command {args[0]!r}. {hint}"
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, from the table: nothing is imported."""
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, each.help) for name, each in commands.items()])


def _imported(where: str) -> click.Command:
    module, _, attribute = where.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    if not isinstance(command, click.Command):
        message = f"{where} is no click command"
        raise TypeError(message)
    return command
