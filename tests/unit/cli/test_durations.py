"""Every option that is a time accepts the same spellings."""

import click
import pytest

from aguante.cli import main as cli
from aguante.cli.options.duration import Duration
from aguante.core.durations import duration_text

DAY = Duration(max_s=86400, above_0=True)


@pytest.mark.parametrize(
    ("text", "length_s"),
    [
        ("30s", 30),
        ("2min", 120),
        ("2m", 120),
        ("500ms", 0.5),
        ("1h", 3600),
        ("1.5h", 5400),
        ("1.5", 1.5),
        ("1m30s", 90),
        ("3 s", 3),
        ("90S", 90),
    ],
)
def test_a_duration_carries_its_unit(text: str, length_s: float) -> None:
    """A plain number is in seconds."""
    assert DAY.convert(text, None, None) == length_s


@pytest.mark.parametrize("text", ["0", "-3s", "25h", "soon", "1e3s", "3 x", "", "2m 5", "\u0663s"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    """The message gives the spelling and the upper limit."""
    with pytest.raises(click.BadParameter, match=r"such as 90s, 2m or 1\.5h, above 0, at most 24h"):
        DAY.convert(text, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"), [(86400, "24h"), (600, "10m"), (90, "90s"), (0, "0s")]
)
def test_a_limit_is_written_in_its_largest_unit(seconds: float, text: str) -> None:
    """Whole hours and minutes, else seconds."""
    assert duration_text(seconds) == text


TIMES = {
    ("audit", "--within"),
    ("inject", "--for"),
    ("load", "--at"),
    ("load", "--duration"),
    ("load", "--for"),
    ("load", "--warmup"),
    ("saturate", "--hold"),
    ("saturate", "--settle-in"),
    ("watch", "--every"),
}


def test_every_option_in_seconds_is_a_duration() -> None:
    """An option whose value ends in ``_s`` has this type; no other has."""
    context = click.Context(cli.cli)
    found = set()
    for name in cli.cli.list_commands(context):
        command = cli.cli.get_command(context, name)
        for option in command.params if command else ():
            timed = (option.name or "").endswith("_s")
            assert isinstance(option.type, Duration) == timed, f"{name} {option.name}"
            if timed:
                found.add((name, option.opts[0]))
    assert found == TIMES
