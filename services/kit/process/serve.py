"""Runs one service as a process: settings, policy, telemetry, application, signals and an orderly end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NoReturn, TypeVar

import uvloop
from aiohttp import web

from services.kit.http.connection import Runner
from services.kit.policy.findings import Invalid
from services.kit.policy.sections import BasePolicy
from services.kit.process.replica import listen
from services.kit.process.settings import Settings
from services.kit.telemetry import logs
from services.kit.telemetry.telemetry import Telemetry

IN_FLIGHT_S = 5.0
GC_THRESHOLD = 20_000

P = TypeVar("P", bound=BasePolicy)
T = TypeVar("T")


def serve(
    load_settings: Callable[[Mapping[str, str]], Settings],
    load_policy: Callable[[Settings], P],
    create_app: Callable[[Settings, P, Telemetry], web.Application],
) -> None:
    """Serve until SIGTERM or SIGINT, then give requests in flight 5 s and telemetry 2 s.

    Exits with 2 when settings or policy are invalid (every finding on stderr), with 1 when the port is not free.
    """
    settings = _valid(lambda: load_settings(os.environ))
    logs.configure(settings.service, settings.log_level)
    policy = _valid(lambda: load_policy(settings))
    telemetry = Telemetry.start(
        settings.service, settings.otlp_endpoint, settings.resource_attributes
    )
    app = create_app(settings, policy, telemetry)
    # Objects made at start live as long as the process; frozen, they cost the garbage collector nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 50, 100)
    try:
        uvloop.run(_run(app, settings, telemetry))
    except OSError as error:
        _stop(1, f"cannot listen on {settings.host}:{settings.port}: {error}; set HOST and PORT")
    finally:
        telemetry.tracing.shutdown()


async def _run(app: web.Application, settings: Settings, telemetry: Telemetry) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = Runner(app, telemetry, shutdown_s=IN_FLIGHT_S)
    try:
        await runner.setup()
        await _listen_until(stop, asyncio.create_task(listen(runner, settings)))
    finally:
        await runner.cleanup()


async def _listen_until(stop: asyncio.Event, listening: asyncio.Task[None]) -> None:
    """Wait for `stop`; a failure to listen ends the wait, and is raised."""
    listening.add_done_callback(lambda task: None if _ended_well(task) else stop.set())
    await stop.wait()
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening


def _ended_well(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is None


def _valid(load: Callable[[], T]) -> T:
    try:
        return load()
    except Invalid as invalid:
        _stop(2, *(str(finding) for finding in invalid.findings))


def _stop(code: int, *messages: str) -> NoReturn:
    for message in messages:
        sys.stderr.write(message + "\n")
    sys.exit(code)
