"""Waits for an event with a limit: no test waits for a duration."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

T = TypeVar("T")
LIMIT_S = 60.0


def wait_until(seen: Callable[[], T], what: str = "it", limit_s: float = LIMIT_S) -> T:
    """Return the first true value of ``seen``; fail the test after ``limit_s``."""
    deadline_s = time.monotonic() + limit_s
    while not (found := seen()):
        if time.monotonic() > deadline_s:
            pytest.fail(f"{what} was not seen within {limit_s:g} s")
        time.sleep(0.05)
    return found


async def until(condition: Callable[[], Awaitable[bool]], limit_s: float = LIMIT_S) -> None:
    """Wait until ``condition`` is true; raise TimeoutError after ``limit_s``."""
    async with asyncio.timeout(limit_s):
        while not await condition():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.05)
