"""Ctrl-C and SIGTERM as a request to stop, for every long-running command."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """SIGINT and SIGTERM set the event, even when repeated; they interrupt nothing by themselves."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def run_with_stop(work: Callable[[asyncio.Event], Coroutine[object, object, T]]) -> T:
    """Run ``work`` in a new event loop, with an event that SIGINT and SIGTERM set."""

    async def main() -> T:
        with stop_on_signals() as stop:
            return await work(stop)

    return asyncio.run(main())
