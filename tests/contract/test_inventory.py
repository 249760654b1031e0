import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from apps import Start

from services.inventory.app import create_app
from services.inventory.domain import CAPACITY_MAX
from services.shop.policy import Policy

Client = TestClient[web.Request, web.Application]
INVARIANT = """
SELECT e.capacity = e.available + coalesce(sum(a.quantity) FILTER (WHERE a.state = 'ALLOCATED'), 0)
FROM events AS e LEFT JOIN allocations AS a USING (event_id) GROUP BY e.event_id"""


@pytest.fixture
async def inventory(start: Start, policy: Policy, database: str) -> Client:
    client = await start(create_app, policy, database)
    assert (await client.put("/events/e", json={"capacity": 10})).status == 200
    return client


@pytest.fixture
async def rows(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    assert await connection.fetchval(INVARIANT) in {True, None}
    await connection.close()


async def ask(client: Client, path: str, **body: object) -> tuple[int, dict[str, object]]:
    async with client.post(path, json=body) as response:
        return response.status, await response.json()


async def reserve(
    client: Client, reservation_id: str, quantity: int = 1, event_id: str = "e"
) -> tuple[int, dict[str, object]]:
    return await ask(
        client, "/reserve", reservation_id=reservation_id, event_id=event_id, quantity=quantity
    )


async def available(client: Client, event_id: str = "e") -> int:
    async with client.get(f"/events/{event_id}") as response:
        return int((await response.json())["available"])


async def test_reserve_takes_seats_once(inventory: Client, rows: asyncpg.Connection) -> None:
    """The same reservation again is answered 200 and takes nothing more."""
    first = await reserve(inventory, "r", 4)
    second = await reserve(inventory, "r", 4)
    assert (first[0], second[0]) == (200, 200)
    assert (first[1]["repeated"], second[1]["repeated"]) == (False, True)
    assert await available(inventory) == 6


async def test_sold_out_is_409(inventory: Client, rows: asyncpg.Connection) -> None:
    """One seat too many is refused whole, definitely, with the service and mechanism named."""
    await reserve(inventory, "first", 1)
    status, problem = await reserve(inventory, "r", 10)
    assert (status, problem["mechanism"], problem["origin"]) == (409, "sold_out", "inventory")
    assert (problem["definite"], problem["reservation_id"]) == (True, "r")
    assert await available(inventory) == 9


async def test_unknown_event_is_404(inventory: Client) -> None:
    """A reserve and a read of an event that was never PUT say so."""
    assert (await reserve(inventory, "r", 1, "nowhere"))[0] == 404
    assert (await inventory.get("/events/nowhere")).status == 404


async def test_other_seats_under_one_id_is_422(inventory: Client) -> None:
    """A reservation id cannot be used for another quantity."""
    await reserve(inventory, "r", 1)
    status, problem = await reserve(inventory, "r", 2)
    assert (status, problem["mechanism"]) == (422, "invalid_input")


async def test_release_gives_seats_back_once(inventory: Client, rows: asyncpg.Connection) -> None:
    """A second release is answered 200 and changes nothing."""
    await reserve(inventory, "r", 4)
    answers = [await ask(inventory, "/release", reservation_id="r") for _ in range(2)]
    assert [status for status, _ in answers] == [200, 200]
    assert await available(inventory) == 10


async def test_reserve_after_its_release_is_voided(
    inventory: Client, rows: asyncpg.Connection
) -> None:
    """A duplicate of a reserve that arrives after the release does nothing."""
    await reserve(inventory, "r", 4)
    await ask(inventory, "/release", reservation_id="r")
    status, problem = await reserve(inventory, "r", 4)
    assert (status, problem["mechanism"]) == (409, "voided")
    assert await available(inventory) == 10


async def test_release_of_an_unknown_id_leaves_a_tombstone(
    inventory: Client, rows: asyncpg.Connection
) -> None:
    """A reserve that its own release has overtaken gets 409 voided, and no seat."""
    for _ in range(2):
        assert (await ask(inventory, "/release", reservation_id="r"))[0] == 200
    status, problem = await reserve(inventory, "r", 4)
    assert (status, problem["mechanism"]) == (409, "voided")
    assert await rows.fetchval("SELECT state FROM allocations") == "VOIDED"
    assert await available(inventory) == 10


async def test_one_seat_is_sold_once_to_twenty(inventory: Client, rows: asyncpg.Connection) -> None:
    """With lock `row`, of 20 concurrent reserves for the last seat exactly one gets it."""
    await inventory.put("/events/last", json={"capacity": 1})
    answers = await asyncio.gather(*(reserve(inventory, f"r{n}", 1, "last") for n in range(20)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 19
    assert await available(inventory, "last") == 0


async def test_two_replicas_sell_one_seat_once(
    inventory: Client, start: Start, policy: Policy, database: str
) -> None:
    """The row lock holds across processes: it is the database's."""
    other = await start(create_app, policy, database)
    await inventory.put("/events/last", json={"capacity": 1})
    answers = await asyncio.gather(
        *(reserve((inventory, other)[n % 2], f"r{n}", 1, "last") for n in range(20))
    )
    assert sorted(status for status, _ in answers) == [200] + [409] * 19


async def test_attempts_of_one_reservation_race_for_one_allocation(
    inventory: Client, rows: asyncpg.Connection
) -> None:
    """Ten concurrent attempts for the same reservation take its seats once."""
    answers = await asyncio.gather(*(reserve(inventory, "r", 2) for _ in range(10)))
    assert {status for status, _ in answers} == {200}
    assert await available(inventory) == 8


async def test_a_reserve_and_its_release_race_without_losing_a_seat(
    inventory: Client, rows: asyncpg.Connection
) -> None:
    """Whichever comes first, in the end nothing is held."""
    calls = [reserve(inventory, f"r{n}") for n in range(10)]
    calls += [ask(inventory, "/release", reservation_id=f"r{n}") for n in range(10)]
    answers = await asyncio.gather(*calls)
    assert {status for status, _ in answers} <= {200, 409}
    assert await available(inventory) == 10


@pytest.mark.parametrize(("mode", "oversells"), [("process", False), ("none", True)])
async def test_lock_modes_differ_in_what_they_sell(
    start: Start, policy: Policy, database: str, mode: str, *, oversells: bool
) -> None:
    """An asyncio lock holds in one process; without a lock more seats are sold than there are."""
    changed = msgspec.structs.replace(policy, lock=mode)
    client = await start(create_app, changed, database)
    sold = 0
    for attempt in range(5):
        await client.put(f"/events/e{attempt}", json={"capacity": 1})
        answers = await asyncio.gather(
            *(reserve(client, f"r{attempt}-{n}", 1, f"e{attempt}") for n in range(20))
        )
        sold += sum(status == 200 for status, _ in answers)
    assert (sold > 5) is oversells


async def test_process_lock_oversells_with_two_replicas(
    start: Start, policy: Policy, database: str
) -> None:
    """The asyncio lock of one process knows nothing of the other's."""
    changed = msgspec.structs.replace(policy, lock="process")
    replicas = [await start(create_app, changed, database) for _ in range(2)]
    sold = 0
    for attempt in range(20):
        await replicas[0].put(f"/events/e{attempt}", json={"capacity": 1})
        answers = await asyncio.gather(
            *(reserve(replicas[n % 2], f"r{attempt}-{n}", 1, f"e{attempt}") for n in range(10))
        )
        sold += sum(status == 200 for status, _ in answers)
    assert sold > 20


async def test_put_event_resizes_around_what_is_held(
    inventory: Client, rows: asyncpg.Connection
) -> None:
    """A new capacity keeps allocations; one below them is 422 and changes nothing."""
    await reserve(inventory, "r", 4)
    async with inventory.put("/events/e", json={"capacity": 5}) as response:
        assert await response.json() == {
            "event_id": "e", "capacity": 5, "available": 1, "allocated": 4,
        }  # fmt: skip
    async with inventory.put("/events/e", json={"capacity": 3}) as response:
        assert response.status == 422
        assert "4 seats" in (await response.json())["detail"]
    assert await available(inventory) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"reservation_id": "r", "event_id": "e", "quantity": 0},
        {"reservation_id": "r", "event_id": "e", "quantity": 11},
        {"reservation_id": "r", "event_id": "e", "quantity": "1"},
        {"reservation_id": "r", "event_id": "e"},
        {"reservation_id": "r\u0000", "event_id": "e", "quantity": 1},
        {"reservation_id": "r" * 65, "event_id": "e", "quantity": 1},
        {"reservation_id": "r", "event_id": "e", "quantity": 1, "colour": "red"},
    ],
)
async def test_bad_fields_are_422(inventory: Client, body: dict[str, object]) -> None:
    """Input that makes no sense never reaches the database."""
    status, problem = await ask(inventory, "/reserve", **body)
    assert (status, problem["mechanism"]) == (422, "invalid_input")


@pytest.mark.parametrize("capacity", [-1, CAPACITY_MAX + 1, 1.5, "1", None])
async def test_a_capacity_out_of_bounds_is_422(inventory: Client, capacity: object) -> None:
    """No event is larger than any hall, and at the bound it is still one."""
    async with inventory.put("/events/e", json={"capacity": capacity}) as response:
        assert response.status == 422
    async with inventory.put("/events/e", json={"capacity": CAPACITY_MAX}) as response:
        assert response.status == 200


async def test_event_path_is_checked(inventory: Client) -> None:
    """A path that cannot be an event id is 422, not a database error."""
    assert (await inventory.get("/events/a%00b")).status == 422


async def test_database_gone_is_503_and_definite(
    inventory: Client, postgres: str, database: str
) -> None:
    """Without a database nothing is reserved, with a problem that names it; afterwards it works again."""
    name = database.rpartition("/")[2]
    admin = await asyncpg.connect(f"{postgres}/postgres")
    await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    kill = "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE datname = $1"
    await admin.fetch(kill, name)
    status, problem = await reserve(inventory, "r")
    assert (status, problem["mechanism"]) == (503, "database_unavailable")
    assert (problem["link"], problem["definite"]) == ("inventory-db", True)
    await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await admin.close()
    assert (await reserve(inventory, "r"))[0] == 200
