"""docs/commands.md names every command, in the sections of `aguante --help`, and no other."""

import re
from pathlib import Path

import click

from aguante.cli import main as cli

PAGE = (Path(__file__).parents[3] / "docs" / "commands.md").read_text(encoding="utf-8")


def sections_of_page() -> dict[str, set[str]]:
    sections: dict[str, set[str]] = {}
    for level, title in re.findall(r"^(##|###) (.+)$", PAGE, re.MULTILINE):
        if level == "##":
            sections[title] = set()
        else:
            sections[list(sections)[-1]].add(title)
    return sections


def test_the_page_has_every_command_in_its_section() -> None:
    """A new command is documented, a removed one is not."""
    table = {title: set(commands) for title, commands in cli.Commands.sections.items()}
    assert sections_of_page() == table


def test_every_option_that_the_page_names_exists() -> None:
    """A renamed option is renamed here, too."""
    context = click.Context(cli.cli)
    commands = [cli.cli.get_command(context, name) for name in cli.cli.list_commands(context)]
    known = {
        name for each in commands if each for option in each.params for name in option.opts
    } | {"--help"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert named - known == set()


def test_the_page_states_every_exit_code() -> None:
    """With the words of the command line."""
    assert re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE) == [
        str(int(code)) for code in cli.ExitCode
    ]
