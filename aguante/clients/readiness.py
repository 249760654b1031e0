"""Readiness checks of services."""

import aiohttp

READY_CALL_LIMIT_S = 1.0


async def is_ready(url: str) -> bool:
    """Whether a URL returns 200 within READY_CALL_LIMIT_S."""
    limit = aiohttp.ClientTimeout(total=READY_CALL_LIMIT_S)
    try:
        async with aiohttp.request("GET", url, timeout=limit) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
