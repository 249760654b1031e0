"""The real gateway before fake callees: every status code of its contract, and the body that explains it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web
from kit_harness import Watched, answering, default_policy, listening, make_settings
from openapi_contract import DOCUMENT, hold

from services.gateway.app import create_app
from services.gateway.handlers import SEMAPHORE
from services.kit.failures.problem import STATUS_OF, Mechanism, Problem
from services.kit.policy.sections import DeadlinePolicy, SemaphorePolicy
from services.shop.policy import Policy

ORDER = {"user_id": "ana", "event_id": "e-1", "quantity": 2}
CONFIRMED = {
    "reservation_id": "r-1",
    "state": "CONFIRMED",
    **ORDER,
    "amount_cents": 5000,
    "notification": {"sent": True},
    "failure": None,
}
ABORTED = {
    **CONFIRMED,
    "state": "ABORTED",
    "notification": {"sent": False},
    "failure": {
        "status": 409,
        "mechanism": "sold_out",
        "origin": "inventory",
        "link": None,
        "detail": "d",
    },
}
EVENT = {"event_id": "e-1", "capacity": 10, "available": 8}
REFUSED = "http://127.0.0.1:9"  # the discard port: nobody listens


class Shop:
    """The gateway, and callees that respond as a test wants."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: dict[str, web.Response | Exception] = {}
        self.hold: asyncio.Event | None = None
        self._arrivals: asyncio.Queue[str] = asyncio.Queue()
        self.url = ""
        self.app = web.Application()
        self.watched = Watched("gateway")

    async def callee(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.path, headers, await request.read()))
        self._arrivals.put_nowait(request.path)
        if self.hold is not None:
            await self.hold.wait()
        path = request.path
        if path.startswith("/events/"):
            return self._said("events", EVENT)
        return self._said("reservations", CONFIRMED)

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have come through the gateway."""
        for _ in range(count):
            await self._arrivals.get()

    def _said(self, callee: str, usual: dict[str, object]) -> web.Response:
        answer = self.answers.get(callee)
        if isinstance(answer, Problem):
            headers = {} if answer.retry_after_s is None else {"Retry-After": "2"}
            return web.Response(
                body=answer.body("reservations", "ab" * 16),
                status=answer.status,
                content_type="application/problem+json",
                headers=headers,
            )
        if isinstance(answer, web.Response):
            return answer
        return web.json_response(usual)


class Client:
    """A client of the gateway that checks every response against the contract."""

    def __init__(self, shop: Shop, session: aiohttp.ClientSession) -> None:
        self._shop = shop
        self._session = session

    async def reserve(
        self, order: object = ORDER, **headers: str
    ) -> tuple[int, dict[str, object], dict[str, str]]:
        body = order if isinstance(order, bytes) else msgspec.json.encode(order)
        sent = {"Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", "/reserve", data=body, headers=sent)

    async def ask(
        self, method: str, path: str, **kwargs: object
    ) -> tuple[int, dict[str, object], dict[str, str]]:
        url = self._shop.url + path
        async with self._session.request(method, url, **kwargs) as response:  # type: ignore[arg-type]
            raw = await response.read()
            hold(method, path, response.status, response.headers, raw)
            body: dict[str, object] = msgspec.json.decode(raw)
            if response.status != 200:
                assert body["trace_id"] == response.headers["X-Trace-Id"]
            return response.status, body, dict(response.headers)


@asynccontextmanager
async def gateway(
    policy: Policy | None = None, *, links: dict[str, str] | None = None
) -> AsyncIterator[tuple[Client, Shop]]:
    shop = Shop()
    async with aiohttp.ClientSession() as session, answering(shop.callee) as callee:
        links = links or {"gateway-reservations": callee, "gateway-inventory": callee}
        settings = make_settings("gateway", links)
        shop.app = create_app(settings, policy or default_policy(), shop.watched.telemetry)
        async with listening(shop.app) as shop.url:
            yield Client(shop, session), shop


async def test_200_is_the_confirmed_reservation() -> None:
    """A confirmed reservation, the key and the trace id; the callee got order, key, deadline and trace."""
    async with gateway() as (client, shop):
        status, body, headers = await client.reserve(Idempotency_Key="k-1")
    assert (status, body) == (200, CONFIRMED)
    assert headers["Idempotency-Key"] == "k-1"
    ((method, path, sent, order),) = shop.asked
    assert (method, path, msgspec.json.decode(order)) == ("POST", "/reserve", ORDER)
    assert sent["idempotency-key"] == "k-1"
    assert 4500 <= int(sent["x-deadline-ms"]) <= 5000
    assert sent["traceparent"].split("-")[1] == headers["X-Trace-Id"]


async def test_a_key_is_made_when_there_is_none_and_told_on_failure_too() -> None:
    """Two requests without a key get two keys, also when they fail: a client repeats with the key that it got."""
    async with gateway() as (client, shop):
        first = (await client.reserve())[2]["Idempotency-Key"]
        shop.answers["reservations"] = Problem(Mechanism.TIMEOUT, "d", definite=False)
        second = (await client.reserve())[2]["Idempotency-Key"]
    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert first != second
    assert [sent["idempotency-key"] for _, _, sent, _ in shop.asked] == [first, second]


@pytest.mark.parametrize(
    "order",
    [
        {"user_id": "", "event_id": "e", "quantity": 1},
        {"user_id": "u" * 65, "event_id": "e", "quantity": 1},
        {"user_id": "u v", "event_id": "e", "quantity": 1},
        {"user_id": "u\n", "event_id": "e", "quantity": 1},
        {"user_id": "../u", "event_id": "e", "quantity": 1},
        {"user_id": "ú", "event_id": "e", "quantity": 1},
        {"user_id": "u\x00", "event_id": "e", "quantity": 1},
        {"user_id": "u", "event_id": "e", "quantity": 0},
        {"user_id": "u", "event_id": "e", "quantity": 11},
        {"user_id": "u", "event_id": "e", "quantity": True},
        {"user_id": "u", "event_id": "e", "quantity": 10**30},
        {"user_id": "u", "event_id": "e"},
        {**ORDER, "price": 0},
        [],
    ],
    ids=repr,
)
async def test_422_for_an_order_out_of_bounds(order: object) -> None:
    """Nothing outside the bounds gets past the gateway."""
    async with gateway() as (client, shop):
        status, problem, _ = await client.reserve(order)
    assert (status, problem["mechanism"]) == (422, "invalid_input")
    assert (problem["definite"], problem["settled"]) == (True, True)
    assert shop.asked == []


@pytest.mark.parametrize("key", ["", "k" * 65, "k k", "clé", "../k"])
async def test_422_for_a_key_out_of_bounds(key: str) -> None:
    """A key is checked like an id."""
    async with gateway() as (client, shop):
        status, problem, _ = await client.reserve(Idempotency_Key=key)
    assert (status, problem["mechanism"]) == (422, "invalid_input")
    assert shop.asked == []


@pytest.mark.parametrize("path", ["/events/", "/reservations/"])
@pytest.mark.parametrize("id_", ["%20", "a%00", "a%0A", "%2e%2e%2fx", "x" * 65, "%C3%BA"])
async def test_422_for_an_id_in_the_path_out_of_bounds(path: str, id_: str) -> None:
    """An id in a path is checked before it is put into another."""
    async with gateway() as (client, shop):
        status, problem, _ = await client.ask("GET", path + id_)
    assert (status, problem["mechanism"]) in ((422, "invalid_input"), (404, "not_found"))
    assert shop.asked == []


async def test_400_413_415_404_405_for_bad_input() -> None:
    """The remaining 4xx of bad input."""
    async with gateway() as (client, shop):
        assert (await client.reserve(b"{"))[0] == 400
        assert (await client.reserve(b" " * 20_000))[0] == 413
        assert (await client.reserve(Content_Type="text/xml"))[0] == 415
        assert (await client.ask("GET", "/nowhere"))[0] == 404
        assert (await client.ask("GET", "/reserve"))[0] == 405
    assert shop.asked == []


FORWARDED = [
    Mechanism.SOLD_OUT,
    Mechanism.KEY_IN_PROGRESS,
    Mechanism.KEY_REUSED,
    Mechanism.PAYMENT_DECLINED,
    Mechanism.NOT_FOUND,
    Mechanism.TIMEOUT,
    Mechanism.DEADLINE,
    Mechanism.BREAKER_OPEN,
    Mechanism.CONNECT_REFUSED,
    Mechanism.DISCONNECTED,
    Mechanism.CONNECTION_RESET,
    Mechanism.BAD_ANSWER,
    Mechanism.UPSTREAM_ERROR,
    Mechanism.POOL_EXHAUSTED,
    Mechanism.DATABASE_UNAVAILABLE,
    Mechanism.COMMIT_UNKNOWN,
]


@pytest.mark.parametrize("mechanism", FORWARDED)
@pytest.mark.parametrize("definite", [True, False])
async def test_what_reservations_says_is_passed_on(mechanism: Mechanism, definite: bool) -> None:
    """Status, origin, link, mechanism, definite, settled and reservation id come through unchanged."""
    said = Problem(
        mechanism,
        "why",
        origin="payments",
        link="reservations-payments",
        definite=definite,
        settled=False,
        reservation_id="r-7",
    )
    async with gateway() as (client, shop):
        shop.answers["reservations"] = said
        status, problem, headers = await client.reserve()
    assert status == STATUS_OF[mechanism]
    assert (problem["origin"], problem["link"]) == ("payments", "reservations-payments")
    assert (problem["mechanism"], problem["reservation_id"]) == (mechanism.value, "r-7")
    assert (problem["definite"], problem["settled"]) == (definite, False)
    if said.retry_after_s is not None:
        assert headers["Retry-After"] == "2"


async def test_502_when_reservations_breaks() -> None:
    """Its internal error is a bad gateway here, and still its own."""
    async with gateway() as (client, shop):
        shop.answers["reservations"] = Problem(Mechanism.INTERNAL_ERROR, "d", definite=False)
        status, problem, _ = await client.reserve()
    assert (status, problem["origin"], problem["definite"]) == (502, "reservations", False)


@pytest.mark.parametrize(
    ("answer", "mechanism"),
    [
        (web.Response(text="oops", status=500), "upstream_error"),
        (web.Response(text="not json"), "bad_answer"),
        (web.json_response({"state": "CONFIRMED"}), "bad_answer"),
        (
            web.Response(body=b"{", status=503, content_type="application/problem+json"),
            "bad_answer",
        ),
    ],
)
async def test_502_for_a_broken_answer(answer: web.Response, mechanism: str) -> None:
    """An answer that cannot be understood is 502 and indefinite: it may have confirmed."""
    async with gateway() as (client, shop):
        shop.answers["reservations"] = answer
        status, problem, _ = await client.reserve()
    assert (status, problem["mechanism"], problem["link"]) == (
        502,
        mechanism,
        "gateway-reservations",
    )
    assert problem["definite"] is False


async def test_503_when_reservations_cannot_be_reached() -> None:
    """A refused connection is definite: nothing was stored."""
    links = {"gateway-reservations": REFUSED, "gateway-inventory": REFUSED}
    async with gateway(links=links) as (client, _):
        status, problem, _ = await client.reserve()
    assert (status, problem["mechanism"]) == (503, "connect_refused")
    assert (problem["origin"], problem["link"]) == ("gateway", "gateway-reservations")
    assert problem["definite"] is True


async def test_504_when_the_deadline_runs_out() -> None:
    """A callee that does not answer in time is 504 deadline, and what became of it is unknown."""
    policy = default_policy(deadline=DeadlinePolicy(total_s=0.4, margin_s=0.1))
    async with gateway(policy) as (client, shop):
        shop.hold = asyncio.Event()
        status, problem, _ = await client.reserve()
        shop.hold.set()
    assert (status, problem["mechanism"], problem["definite"]) == (504, "deadline", False)


async def test_429_when_full_and_nothing_is_passed_on() -> None:
    """With every slot taken, reservations and reads alike are turned away at once; then the door opens again."""
    async with gateway(default_policy(semaphore=SemaphorePolicy(limit=2))) as (client, shop):
        shop.hold = asyncio.Event()
        held = [asyncio.create_task(client.reserve()) for _ in range(2)]
        await shop.arrived(2)
        assert shop.app[SEMAPHORE].in_flight == 2
        for answer in (await client.reserve(), await client.ask("GET", "/events/e-1")):
            assert (answer[0], answer[1]["mechanism"]) == (429, "semaphore_full")
            assert answer[1]["origin"] == "gateway"
        shop.hold.set()
        assert [status for status, _, _ in await asyncio.gather(*held)] == [200, 200]
        assert (await client.reserve())[0] == 200
        rejected = shop.watched.count(
            "aguante_requests_rejected_total", error_type="semaphore_full"
        )
    assert rejected == 2
    assert len(shop.asked) == 3


async def test_semaphore_off_lets_everybody_in() -> None:
    """Off is off: a hundred at once."""
    async with gateway(default_policy(semaphore=None)) as (client, shop):
        shop.hold = asyncio.Event()
        held = [asyncio.create_task(client.reserve()) for _ in range(100)]
        await shop.arrived(100)
        shop.hold.set()
        assert {status for status, _, _ in await asyncio.gather(*held)} == {200}


async def test_reads_pass_through_their_own_links() -> None:
    """An event comes from inventory and a reservation from reservations, each unchanged."""
    async with gateway() as (client, shop):
        status, event, _ = await client.ask("GET", "/events/e-1")
        assert (status, event) == (200, EVENT)
        status, reservation, _ = await client.ask("GET", "/reservations/r-1")
        assert (status, reservation) == (200, CONFIRMED)
        shop.answers["reservations"] = web.json_response(ABORTED)
        failed = (await client.ask("GET", "/reservations/r-1"))[1]
        assert failed == ABORTED
    assert [path for _, path, _, _ in shop.asked] == ["/events/e-1", *["/reservations/r-1"] * 2]


async def test_reads_of_a_broken_inventory_become_fast() -> None:
    """After five failures the breaker on gateway-inventory answers in its place."""
    async with gateway() as (client, shop):
        shop.answers["events"] = Problem(Mechanism.INTERNAL_ERROR, "d", origin="inventory")
        mechanisms = [(await client.ask("GET", "/events/e-1"))[1]["mechanism"] for _ in range(6)]
        assert (await client.reserve())[0] == 200
    assert mechanisms == ["internal_error"] * 5 + ["breaker_open"]


async def test_the_description_is_served() -> None:
    """GET /openapi.json answers the file, whole."""
    async with gateway() as (client, _):
        assert (await client.ask("GET", "/openapi.json"))[1] == DOCUMENT
