"""A group of commands that imports a command only when it is used.

The runner's libraries (DuckDB, pydantic, the chart library) take most of a second to import. The list of commands
therefore comes from a table of names and one-line descriptions.
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
    """Where a command is, and its line in the list of commands."""

    where: str
    """``module:attribute``."""
    help: str
    """One line."""


Sections = Mapping[str, Mapping[str, LazyCommand]]
"""Title of a section of ``--help`` -> its commands by name, in the order in which they are shown."""


class LazyGroup(click.Group):
    """A click group over a table of commands. Commands added in click's usual way work as well."""

    sections: ClassVar[Sections] = {}
    old_names: ClassVar[Mapping[str, LazyCommand]] = {}
    """Old names of commands: they work, but are not listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order of the sections; hidden commands are left out."""
        table = [name for commands in self.sections.values() for name in commands]
        return [*table, *(name for name in super().list_commands(ctx) if name not in table)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None for an unknown name."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            return found
        for commands in (*self.sections.values(), self.old_names):
            if cmd_name in commands:
                return _imported(commands[cmd_name].where)
        return None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table, so that pressing Tab imports nothing; click completes options."""
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
        """Find a command; suggest the nearest name for an unknown one.

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
        """List the commands by section from the table, importing none."""
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, each.help) for name, each in commands.items()])


def _imported(where: str) -> click.Command:
    module, _, attribute = where.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    if not isinstance(command, click.Command):
        message = f"{where} is not a click command"
        raise TypeError(message)
    return command
