"""The option ``aguante up --replicas``."""

import click
import pytest

from aguante.cli.commands.up import replicas_of, up_command

OPTION = next(each for each in up_command.params if each.name == "replicas")


def test_replicas_are_a_name_and_a_number() -> None:
    """The option can be repeated; the last value of a name wins."""
    context = click.Context(up_command)
    assert replicas_of(context, OPTION, ()) == {}
    assert replicas_of(context, OPTION, ("a=2", "b=8", "a=3")) == {"a": 3, "b": 8}


@pytest.mark.parametrize("given", ["back", "back=", "=2", "back=0", "back=9", "back=-1", "back=²"])
def test_anything_else_is_wrong_usage(given: str) -> None:
    """The message contains the value and the expected form."""
    with pytest.raises(click.BadParameter, match=r"SERVICE=N with N from 1 to 8") as refused:
        replicas_of(click.Context(up_command), OPTION, (given,))
    assert repr(given) in refused.value.message
