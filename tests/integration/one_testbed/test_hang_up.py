"""A client that hangs up midway: its saga goes on, ends, and is there when the client comes back."""

import asyncio
import json
import socket
import struct
from urllib.parse import urlsplit

import pytest
from race_harness import Shop

from stress.client import ReservationRequest

SLOWED_MS = 400
"""On the answer of payments: the client has hung up long before the saga can know that it was paid."""
HOLDING = "SELECT count(*) FROM sagas WHERE idempotency_key = ANY($1) AND state = 'RESERVED'"


def send(gateway: str, order: ReservationRequest) -> socket.socket:
    """Send a whole request on a plain connection; the answer is never read."""
    address = urlsplit(gateway)
    assert address.hostname
    assert address.port
    body = json.dumps(
        {"user_id": order.user_id, "event_id": order.event_id, "quantity": order.quantity}
    )
    head = (
        f"POST /reserve HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {order.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection((address.hostname, address.port), 5.0)
    connection.sendall(head.encode() + body.encode())
    return connection


def hang_up(connection: socket.socket, how: str) -> None:
    """Close as a well-behaved program does, or reset as one that was killed or lost its network."""
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_client_that_hangs_up_midway_cancels_nothing(shop: Shop, how: str) -> None:
    """Its reservation is confirmed all the same, and the same key tells it which one it is."""
    orders = shop.orders(await shop.event(100), 8)
    async with shop.slow("reservations-payments", SLOWED_MS, "downstream"):
        connections = [await asyncio.to_thread(send, shop.testbed.gateway, each) for each in orders]
        await shop.until(len(orders), "reservations", HOLDING, [order.key for order in orders])
        for connection in connections:
            hang_up(connection, how)
        assert await shop.audited() == {}
    sql = "SELECT idempotency_key, reservation_id FROM sagas WHERE state = 'CONFIRMED'"
    confirmed = {row[0]: row[1] for row in await shop.rows("reservations", sql)}
    assert {order.key for order in orders} <= set(confirmed)
    for order in orders:
        again = await shop.client.reserve(order)
        assert (again.status, again.reservation_id) == (200, confirmed[order.key])
    assert await shop.audited() == {}


async def test_a_client_that_hangs_up_at_once_leaves_nothing_half_done(shop: Shop) -> None:
    """Whether its request was still taken or not: every saga ends, and nothing is stray."""
    orders = shop.orders(await shop.event(100), 20)
    for number, order in enumerate(orders):
        connection = await asyncio.to_thread(send, shop.testbed.gateway, order)
        hang_up(connection, ("close", "reset")[number % 2])
    assert await shop.audited() == {}
