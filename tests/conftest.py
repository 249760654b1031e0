"""What every kind of test may need: a missing part skips a test on a laptop, and fails it under CI."""

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
    """Under xdist the workers share one machine by turns."""
    if config.getoption("numprocesses"):
        config.pluginmanager.register(Controller())
    elif hasattr(config, "workerinput"):
        config.pluginmanager.register(Worker(Turns(Path(config.workerinput[TURNS]))))


def missing(what: str) -> NoReturn:
    """Skip, or under CI fail: a part that is missing must never let a test pass unseen."""
    if os.environ.get("CI"):
        pytest.fail(f"under CI nothing may be missing: {what}")
    pytest.skip(what)


@pytest.fixture(scope="session")
def part_is_missing() -> Callable[[str], NoReturn]:
    """What a fixture elsewhere calls when its real part is not here."""
    return missing


@pytest.fixture(scope="session")
def toxiproxy_binary() -> Path:
    """toxiproxy-server, found or built once for the whole session."""
    try:
        return find_server(SERVERS["toxiproxy"])
    except ServerMissingError as why:
        missing(str(why))


@pytest.fixture(scope="session")
def observer_binaries() -> dict[str, Path]:
    """Prometheus, promtool and Jaeger by name, found or built once for the whole session."""
    try:
        return {name: find_server(SERVERS[name]) for name in ("prometheus", "promtool", "jaeger")}
    except ServerMissingError as why:
        missing(str(why))


@atexit.register
def nothing_after_the_summary() -> None:
    """Let pytest's summary be the last line: DuckDB's binding reports leaks at exit that are not ours to fix.

    Not in a hook of pytest: its capture puts stderr back after the last of them. All that pytest has to say
    is said by now, and the exit code is not touched.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
