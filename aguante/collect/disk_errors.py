"""DuckDB has a name of its own for what a disk refuses; whoever writes a run folder raises OSError."""

import contextlib
import errno
from collections.abc import Iterator

import duckdb


@contextlib.contextmanager
def refusals_as_os_error() -> Iterator[None]:
    """Of a ``duckdb.IOException`` make an OSError (EIO): DuckDB gives the reason in words alone."""
    try:
        yield
    except duckdb.IOException as why:
        raise OSError(errno.EIO, str(why)) from why
