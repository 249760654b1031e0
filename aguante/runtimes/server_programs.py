"""The program of a server that a native testbed needs."""

import asyncio
from pathlib import Path

from aguante.runtimes.servers import SERVERS, ServerMissingError, find_server
from aguante.testbed.runtime import TestbedError


async def find_program(name: str) -> Path:
    """The program of a name in ``SERVERS``, found or built.

    Raises:
        TestbedError: it is nowhere and cannot be built; names all the ways to provide it.
    """
    try:
        return await asyncio.to_thread(find_server, SERVERS[name])
    except ServerMissingError as why:
        raise TestbedError(str(why)) from why
