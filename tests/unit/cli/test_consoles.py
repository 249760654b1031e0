"""Colours and widths of what the commands print."""

import io

import pytest

from aguante.cli.consoles import PLAIN_WIDTH, ProgressConsole, output_console


@pytest.mark.parametrize("console", [ProgressConsole, output_console])
def test_ci_output_has_no_colours_even_if_they_are_forced(
    console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI systems set FORCE_COLOR; ``--ci`` means plain text."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    plain, coloured = console(plain=True), console()
    for each in (plain, coloured):
        each.file = io.StringIO()
        each.print("[bold red]held[/] 12")
    assert plain.file.getvalue() == "held 12\n"
    assert "\x1b[" in coloured.file.getvalue()


def test_a_file_has_room_for_a_table() -> None:
    """It has no width of its own."""
    assert output_console().width == PLAIN_WIDTH
