"""Creates a run's events: sends the ``setup:`` request of ``testbed.yaml`` once per event, before the load."""

import asyncio

import aiohttp

from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import SetupRequest, TestbedSpec

REQUEST_LIMIT_S = 5.0


async def seed_events(spec: TestbedSpec, testbed: Testbed, run_id: str) -> tuple[str, ...]:
    """Create the events of one run and return their ids, which are new in each run so that repeats do not sell out.

    Requests go to the service's own address, not through a proxy.

    Args:
        spec: number of events, and the request that creates one.
        testbed: has the service's address.
        run_id: becomes part of every id.

    Raises:
        TestbedError: a request failed; the message has the response.
    """
    event_ids = tuple(f"{run_id}-{number}" for number in range(1, spec.setup.events + 1))
    request = spec.setup.request
    if request is None:
        return event_ids
    base = next(s.url for s in testbed.services if s.name == request.service)
    limit = aiohttp.ClientTimeout(total=REQUEST_LIMIT_S)
    async with aiohttp.ClientSession(base, timeout=limit) as session:
        capacities = dict.fromkeys(event_ids, spec.setup.capacity)
        if sold_out := sold_out_id(spec, run_id):
            capacities[sold_out] = 0
        await asyncio.gather(
            *(_send(session, request, seats, event_id) for event_id, seats in capacities.items())
        )
    return event_ids


def sold_out_id(spec: TestbedSpec, run_id: str) -> str:
    """Id of the run's event without seats; empty if the testbed creates none."""
    return f"{run_id}-sold-out" if spec.setup.sold_out and spec.setup.request else ""


async def _send(
    session: aiohttp.ClientSession, request: SetupRequest, capacity: int, event_id: str
) -> None:
    values: dict[str, str | int] = {"event_id": event_id, "capacity": capacity}
    path = request.path.format_map(values)
    try:
        async with session.request(request.method, path, json=body_of(request, values)) as response:
            text = "" if response.ok else (await response.text())[:400]
    except (aiohttp.ClientError, TimeoutError) as why:
        message = f"setup {request.method} {path} on {request.service} got no response: {why!r}"
        raise TestbedError(message) from why
    if text:
        message = (
            f"setup {request.method} {path} on {request.service} got {response.status}: {text}"
        )
        raise TestbedError(message)


def body_of(request: SetupRequest, values: dict[str, str | int]) -> dict[str, str | int]:
    """The request's body with its placeholders filled in.

    ``"{capacity}"`` alone becomes the number, ``"event {event_id}"`` a text.
    """
    return {key: _filled(value, values) for key, value in request.body.items()}


def _filled(value: str | int, values: dict[str, str | int]) -> str | int:
    if isinstance(value, int):
        return value
    alone = {f"{{{name}}}": each for name, each in values.items()}
    return alone[value] if value in alone else value.format_map(values)
