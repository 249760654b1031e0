"""An asyncio client of the shop that sends each request exactly once and records its outcome.

aiohttp silently resends an idempotent request when its pooled connection is dead. This is switched off here,
or the ledger would be wrong.
"""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from aguante.load_protocol.records import RequestRecord
from loadtests.outcome import Outcome, from_response, no_response
from stress.ledger import Ledger

TIMEOUT_S = 7.0
"""Longer than the gateway's deadline."""


@dataclass(frozen=True)
class ReservationRequest:
    """The body of one reservation and its idempotency key, which every retry repeats."""

    key: str
    user_id: str
    event_id: str
    quantity: int


@dataclass(frozen=True)
class Reading:
    """The response to a read of a reservation; ``state`` is empty unless the status was 200."""

    record: RequestRecord
    state: str


class _State(msgspec.Struct):
    state: str


class Client:
    """A client of the gateway; use as an asynchronous context manager.

    Args:
        base_url: of the gateway's entry link.
        ledger: receives one record per request.
    """

    def __init__(self, base_url: str, ledger: Ledger) -> None:
        self._base_url = base_url
        self._ledger = ledger
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )
        self._session._retry_connection = False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session:
            await self._session.close()

    async def reserve(
        self, order: ReservationRequest, patience_s: float = TIMEOUT_S
    ) -> RequestRecord:
        """Send a reservation; disconnect after ``patience_s`` without a response."""
        headers = {"Idempotency-Key": order.key}
        body = {"user_id": order.user_id, "event_id": order.event_id, "quantity": order.quantity}
        request = _Request("reserve", "POST", "/reserve", order.key, order.event_id)
        record, _ = await self._send(request, patience_s, json=body, headers=headers)
        return record

    async def read_event(self, event_id: str) -> RequestRecord:
        """Read an event's seats."""
        request = _Request("read_event", "GET", f"/events/{event_id}", event_id=event_id)
        record, _ = await self._send(request, TIMEOUT_S)
        return record

    async def read_reservation(self, reservation_id: str) -> Reading:
        """Read a reservation's state; its id is in the record whatever the response."""
        request = _Request("read_reservation", "GET", f"/reservations/{reservation_id}")
        record, body = await self._send(request, TIMEOUT_S)
        record = msgspec.structs.replace(record, reservation_id=reservation_id)
        state = msgspec.json.decode(body, type=_State).state if record.status == 200 else ""
        return Reading(record, state)

    async def _send(
        self, request: "_Request", patience_s: float, **kwargs: object
    ) -> tuple[RequestRecord, bytes]:
        seq, began_s = self._ledger.number(), self._ledger.now_s()
        outcome, trace_id, body = await self._exchange(request, patience_s, **kwargs)
        record = RequestRecord(
            seq=seq,
            operation=request.operation,
            intended_s=round(began_s, 6),
            started_s=round(began_s, 6),
            latency_ms=round((self._ledger.now_s() - began_s) * 1000, 3),
            status=outcome.status,
            origin=outcome.origin,
            link=outcome.link,
            mechanism=outcome.mechanism,
            definite=outcome.definite,
            settled=outcome.settled,
            trace_id=trace_id,
            idempotency_key=request.key,
            reservation_id=outcome.reservation_id,
            event_id=request.event_id,
        )
        self._ledger.add(record)
        return record, body

    async def _exchange(
        self, request: "_Request", patience_s: float, **kwargs: object
    ) -> tuple[Outcome, str, bytes]:
        assert self._session is not None  # noqa: S101 - only used inside `async with`
        url = self._base_url + request.path
        try:
            async with (
                asyncio.timeout(patience_s),
                self._session.request(request.method, url, **kwargs) as got,  # type: ignore[arg-type]
            ):
                body = await got.read()
                return from_response(got.status, body), got.headers.get("X-Trace-Id", ""), body
        except TimeoutError:
            return no_response("client_timeout"), "", b""
        except aiohttp.ClientConnectorError:
            return no_response("client_refused"), "", b""
        except (aiohttp.ClientError, OSError):
            return no_response("client_disconnected"), "", b""


@dataclass(frozen=True)
class _Request:
    operation: str
    method: str
    path: str
    key: str = ""
    event_id: str = ""
