"""``aguante completion``: print a shell completion script."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> int:
    """Print the completion script for SHELL.

    \b
      bash   eval "$(aguante completion bash)"   in ~/.bashrc (bash 4.4 or newer)
      zsh    eval "$(aguante completion zsh)"    in ~/.zshrc, after compinit
      fish   aguante completion fish > ~/.config/fish/completions/aguante.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click supports all three
    root = ctx.find_root().command
    complete = kind(root, {}, "aguante", "_AGUANTE_COMPLETE")
    click.echo(complete.source_template % complete.source_vars())
    return 0
