"""Shared by all tests. A missing component skips a test, and fails it under CI."""

import atexit
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from side_by_side import TURNS, Controller, Turns, Worker

from aguante.runtimes.servers import SERVERS, ServerMissingError, find_server

# Tests start some hundred processes. Without byte code each would compile everything that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """Under xdist, register the scheduling of ``side_by_side``."""
    if config.getoption("numprocesses"):
        config.pluginmanager.register(Controller())
    elif hasattr(config, "workerinput"):
        config.pluginmanager.register(Worker(Turns(Path(config.workerinput[TURNS]))))


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it under CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"under CI nothing may be missing: {what}")
    pytest.skip(what)


@pytest.fixture(scope="session")
def part_is_missing() -> Callable[[str], NoReturn]:
    """Called by a fixture whose real component is missing."""
    return missing


@pytest.fixture(scope="session")
def toxiproxy_binary() -> Path:
    """toxiproxy-server, found or built once per session."""
    try:
        return find_server(SERVERS["toxiproxy"])
    except ServerMissingError as why:
        missing(str(why))


@pytest.fixture(scope="session")
def observer_binaries() -> dict[str, Path]:
    """Prometheus, promtool and Jaeger by name, found or built once per session."""
    try:
        return {name: find_server(SERVERS[name]) for name in ("prometheus", "promtool", "jaeger")}
    except ServerMissingError as why:
        missing(str(why))


@atexit.register
def nothing_after_the_summary() -> None:
    """Keep pytest's summary the last line: DuckDB's binding reports leaks at exit that we cannot fix.

    A hook of pytest would be too early, because its capture restores stderr after the last hook. The exit code
    does not change.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
