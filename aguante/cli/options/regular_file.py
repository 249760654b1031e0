"""Standard input and pipes for programs that read a file by its name."""

import tempfile
from pathlib import Path

import click

from aguante.core.input_files import NotReadableError, is_stream, read_input, shown_name

BYTES_MAX = 1024**3
_PREFIX = "aguante-stream-"

INPUT_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
"""The type of an option that names a file, a pipe, or ``-`` for standard input."""


def content_of(file: Path, bytes_max: int = BYTES_MAX) -> bytes:
    """The content of a file, a pipe, or standard input.

    Raises:
        click.UsageError: it cannot be read.
    """
    try:
        return read_input(file, bytes_max)
    except NotReadableError as error:
        where = shown_name(file)
        message = f"{where}: found {error.found}, expected {error.expected}; fix: {error.fix}"
        raise click.UsageError(message) from error


def regular_file(file: Path) -> Path:
    """The file itself; of a pipe or of standard input, a copy that is removed when the command ends.

    Raises:
        click.UsageError: the stream cannot be read.
    """
    if not is_stream(file):
        return file
    folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
    copy = Path(click.get_current_context().with_resource(folder)) / shown_name(file).name
    copy.write_bytes(content_of(file))
    return copy


def original_name(file: Path) -> Path:
    """The name of a file in messages: a copy has the name of its stream."""
    return Path(file.name) if file.parent.name.startswith(_PREFIX) else file
