"""Disk errors of DuckDB, raised as OSError like those of every other writer of the run folder."""

import contextlib
import errno
from collections.abc import Iterator

import duckdb


@contextlib.contextmanager
def refusals_as_os_error() -> Iterator[None]:
    """Raise a ``duckdb.IOException`` as an OSError (EIO); DuckDB gives its cause only as text."""
    try:
        yield
    except duckdb.IOException as why:
        raise OSError(errno.EIO, str(why)) from why
