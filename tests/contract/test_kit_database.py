"""The database edge on a real PostgreSQL behind a proxy: every failure is bounded, named, and definite or not."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest
from apps import PATIENT_S
from kit_harness import Watched
from tcp_proxy import TcpProxy, tcp_proxy

from services.kit.database.pool import Database
from services.kit.database.session import give_back
from services.kit.failures.failed import DatabaseFailed
from services.kit.failures.problem import Mechanism
from services.kit.policy.sections import DatabasePolicy

SCHEMA = "CREATE TABLE IF NOT EXISTS things (id text PRIMARY KEY, number int NOT NULL)"
INSERT = "INSERT INTO things VALUES ($1, $2) RETURNING number"
COUNT = "SELECT count(*)::int AS n FROM things"


class World:
    """A database behind a proxy."""

    def __init__(self, db: Database, proxy: TcpProxy, watched: Watched) -> None:
        self.db = db
        self.proxy = proxy
        self.watched = watched

    async def insert(
        self, *, first: Callable[[], object] = int, then: Callable[[], object] = int
    ) -> None:
        """Insert a thing in a transaction, with something that happens before or after the statement."""
        async with self.db.transaction() as tx:
            first()
            await tx.fetchrow("insert thing", INSERT, "a", 1)
            then()
            await asyncio.sleep(0.05)

    async def count(self) -> int:
        row = await self.db.fetchrow("count things", COUNT)
        assert row is not None
        return int(row["n"])


@asynccontextmanager
async def world(
    url: str,
    *,
    opened: bool = True,
    pool_size: int = 2,
    acquire_s: float = PATIENT_S,
    statement_s: float = PATIENT_S,
) -> AsyncIterator[World]:
    parts = urlsplit(url)
    assert parts.port is not None
    watched = Watched("payments")
    policy = DatabasePolicy(pool_size=pool_size, acquire_s=acquire_s, statement_s=statement_s)
    async with tcp_proxy(parts.port) as proxy:
        proxied = f"postgresql://postgres@127.0.0.1:{proxy.port}{parts.path}"
        db = Database("payments-db", proxied, policy, watched.telemetry)
        if opened:
            await db.open(SCHEMA)
        try:
            yield World(db, proxy, watched)
        finally:
            await db.close()


async def test_reads_writes_and_commits(database: str) -> None:
    """A write returns its row; a transaction's statements are there together."""
    async with world(database) as here:
        row = await here.db.write("insert thing", INSERT, "a", 1)
        assert row is not None
        assert row["number"] == 1
        async with here.db.transaction() as tx:
            await tx.fetchrow("insert thing", INSERT, "b", 2)
            assert len(await tx.fetch("all things", "SELECT * FROM things")) == 2
        assert await here.count() == 2


async def test_a_body_that_raises_rolls_back(database: str) -> None:
    """Nothing of a transaction whose body raised is left, and the error comes out as it was."""
    async with world(database) as here:
        with pytest.raises(ZeroDivisionError):
            await here.insert(then=lambda: 1 / 0)
        assert await here.count() == 0


async def test_a_violated_constraint_stays_what_it_is(database: str) -> None:
    """Repositories decide by UniqueViolationError: it is no failure of the database. Nor is a wrong call."""
    async with world(database) as here:
        await here.db.write("insert thing", INSERT, "a", 1)
        with pytest.raises(asyncpg.UniqueViolationError):
            await here.db.write("insert thing", INSERT, "a", 1)
        with pytest.raises(asyncpg.InterfaceError):
            await here.db.fetchrow("insert thing", INSERT, "a")
        assert await here.count() == 1


async def test_open_waits_until_the_database_can_be_reached(database: str) -> None:
    """Before that it is not ready, with a reason, and fails fast and definitely; then it gets ready by itself."""
    async with world(database, opened=False) as here:
        await here.proxy.close()
        opening = asyncio.create_task(here.db.open(SCHEMA))
        await asyncio.sleep(0.3)
        assert "not reachable yet" in str(await here.db.ready())
        with pytest.raises(DatabaseFailed) as failed:
            await here.count()
        assert (failed.value.mechanism, failed.value.definite) == (
            Mechanism.DATABASE_UNAVAILABLE,
            True,
        )
        await here.proxy.open()
        await asyncio.wait_for(opening, 5)
        assert await here.db.ready() is None


async def test_the_pool_is_full_from_the_start(database: str) -> None:
    """Once open, all its connections are there and idle: the first users need not wait for one to be made."""
    async with world(database, pool_size=3) as here:
        idle = here.watched.count("db_client_connection_count", link="payments-db", state="idle")
        size = here.watched.count("db_client_connection_max", link="payments-db")
        assert (idle, size) == (3, 3)


async def test_two_replicas_make_the_tables_at_once(database: str) -> None:
    """CREATE TABLE IF NOT EXISTS alone loses that race now and then."""
    async with world(database, opened=False) as one, world(database, opened=False) as two:
        await asyncio.gather(one.db.open(SCHEMA), two.db.open(SCHEMA))


async def test_readiness_follows_the_database(database: str) -> None:
    """When the link is cut the service is not ready, and when it is back it is."""
    async with world(database) as here:
        await here.proxy.close()
        assert "database_unavailable" in str(await here.db.ready())
        await here.proxy.open()
        assert await here.db.ready() is None


async def test_pool_exhausted_after_the_acquire_limit(database: str) -> None:
    """With every connection in use the next waits acquire_s and no longer: definite, and it is counted."""
    exhausted = world(database, pool_size=1, acquire_s=0.3)
    async with exhausted as here, here.db.transaction():
        started_s = time.monotonic()
        with pytest.raises(DatabaseFailed) as failed:
            await here.count()
        waited_s = time.monotonic() - started_s
        assert (failed.value.mechanism, failed.value.definite) == (Mechanism.POOL_EXHAUSTED, True)
        assert 0.25 <= waited_s < PATIENT_S
        used = here.watched.count("db_client_connection_count", link="payments-db", state="used")
        assert used == 1


async def test_who_queued_and_had_no_time_left_to_connect_met_a_full_pool(database: str) -> None:
    """It took over the place of a lost connection: what remains of acquire_s is too little for a new one."""
    async with world(database, pool_size=1, acquire_s=1.0, statement_s=0.5) as here:
        holder = here.db.transaction()
        await holder.__aenter__()
        queued = asyncio.create_task(here.count())
        await asyncio.sleep(0.4)
        here.proxy.cut()
        here.proxy.flowing.clear()
        with pytest.raises(DatabaseFailed):  # the COMMIT
            await holder.__aexit__(None, None, None)
        with pytest.raises(DatabaseFailed) as failed:
            await queued
        assert (failed.value.mechanism, failed.value.definite) == (Mechanism.POOL_EXHAUSTED, True)
        here.proxy.flowing.set()
        assert await here.count() == 0


async def test_a_slow_statement_is_a_timeout_and_the_pool_recovers(database: str) -> None:
    """A statement longer than the limit ends there, on the server too, and leaves the pool usable."""
    async with world(database, pool_size=1, statement_s=0.4) as here:
        for _ in range(3):
            with pytest.raises(DatabaseFailed) as failed:
                await here.db.fetchrow("sleep", "SELECT pg_sleep(3)")
            assert failed.value.mechanism is Mechanism.TIMEOUT
        assert await here.count() == 0
        running = await here.db.fetch(
            "activity",
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3)%' "
            "AND state = 'active' AND pid <> pg_backend_pid() AND datname = current_database()",
        )
        assert running == []


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a transaction"])
async def test_a_stalled_link_is_a_timeout(database: str, inside: bool) -> None:
    """Alone the statement may have acted; inside a transaction it certainly did not. Both recover."""
    async with world(database, statement_s=0.5) as here:
        await here.count()
        stalled = here.insert(first=here.proxy.flowing.clear) if inside else here.count()
        if not inside:
            here.proxy.flowing.clear()
        with pytest.raises(DatabaseFailed) as failed:
            await stalled
        assert (failed.value.mechanism, failed.value.definite) == (Mechanism.TIMEOUT, inside)
        here.proxy.flowing.set()
        assert await here.count() == 0


async def test_a_disabled_proxy_is_database_unavailable_and_heals(database: str) -> None:
    """While it is disabled every use fails fast and definitely; enabled again the next use succeeds."""
    async with world(database) as here:
        await here.count()
        await here.proxy.close()
        for _ in range(3):
            started_s = time.monotonic()
            with pytest.raises(DatabaseFailed) as failed:
                await here.count()
            assert (failed.value.mechanism, failed.value.definite) == (
                Mechanism.DATABASE_UNAVAILABLE,
                True,
            )
            assert time.monotonic() - started_s < PATIENT_S / 2
        await here.proxy.open()
        assert await here.count() == 0


async def test_connections_that_died_while_idle_are_replaced(database: str) -> None:
    """A reset between two uses costs the next user nothing but the time to connect."""
    async with world(database) as here:
        await asyncio.gather(here.count(), here.count())
        here.proxy.cut()
        await asyncio.sleep(0.05)
        assert await here.count() == 0


async def test_a_connection_lost_during_a_read(database: str) -> None:
    """Cut while the statement runs, a read is database_unavailable."""
    async with world(database) as here:
        here.proxy.cut_after = b"count(*)"
        with pytest.raises(DatabaseFailed) as failed:
            await here.count()
        assert failed.value.mechanism is Mechanism.DATABASE_UNAVAILABLE


@pytest.mark.parametrize("acted", [True, False])
async def test_a_write_of_unknown_outcome_is_commit_unknown(database: str, acted: bool) -> None:
    """Whether it was cut before or after it was carried out is unknown: commit_unknown, never definite."""
    async with world(database) as here:
        await here.db.write("insert thing", INSERT, "first", 1)  # now the statement is prepared
        if acted:
            here.proxy.cut_after = b"second"
        else:
            here.proxy.cut_before = b"second"
        with pytest.raises(DatabaseFailed) as failed:
            await here.db.write("insert thing", INSERT, "second", 2)
        assert (failed.value.mechanism, failed.value.definite) == (Mechanism.COMMIT_UNKNOWN, False)
        here.proxy.cut_after = here.proxy.cut_before = None
        assert await here.count() == (2 if acted else 1)


@pytest.mark.parametrize("acted", [True, False])
async def test_a_commit_of_unknown_outcome_is_commit_unknown(database: str, acted: bool) -> None:
    """The same for the COMMIT of a transaction."""
    async with world(database) as here:
        if acted:
            here.proxy.cut_after = b"COMMIT"
        else:
            here.proxy.cut_before = b"COMMIT"
        with pytest.raises(DatabaseFailed) as failed:
            await here.insert()
        assert (failed.value.mechanism, failed.value.definite) == (Mechanism.COMMIT_UNKNOWN, False)
        here.proxy.cut_after = here.proxy.cut_before = None
        assert await here.count() == (1 if acted else 0)


async def test_a_connection_lost_before_the_commit_is_definite(database: str) -> None:
    """A transaction whose connection went before COMMIT was sent did certainly nothing."""
    async with world(database) as here:
        with pytest.raises(DatabaseFailed) as failed:
            await here.insert(then=here.proxy.cut)
        assert failed.value.mechanism is Mechanism.DATABASE_UNAVAILABLE
        assert failed.value.definite
        assert await here.count() == 0


async def test_a_connection_lost_while_it_is_given_back_is_no_error(database: str) -> None:
    """The server's farewell may come between asyncpg's check and its deed; the pool is whole afterwards."""
    async with asyncpg.create_pool(database, min_size=0, max_size=1) as pool:
        connection = await pool.acquire()
        asyncio.get_running_loop().call_soon(connection.terminate)
        await give_back(pool, connection)
        assert await pool.fetchval("SELECT 1", timeout=2) == 1


async def test_a_cancelled_user_leaves_the_pool_whole(database: str) -> None:
    """Cancelling users in the middle of statements loses no connection and leaks no transaction."""
    async with world(database, pool_size=2) as here:
        for _ in range(5):
            user = asyncio.create_task(here.db.fetchrow("sleep", "SELECT pg_sleep(0.3)"))
            await asyncio.sleep(0.03)
            user.cancel()
            with pytest.raises(asyncio.CancelledError):
                await user
        assert await asyncio.gather(here.count(), here.count()) == [0, 0]


async def test_a_cancelled_transaction_leaks_nothing(database: str) -> None:
    """Cancelled between two statements, its transaction is gone and its locks with it."""
    async with world(database, pool_size=1) as here:
        inserted = asyncio.Event()

        async def insert_and_wait() -> None:
            async with here.db.transaction() as tx:
                await tx.fetchrow("insert thing", INSERT, "a", 1)
                inserted.set()
                await asyncio.sleep(60)

        user = asyncio.create_task(insert_and_wait())
        await inserted.wait()
        user.cancel()
        with pytest.raises(asyncio.CancelledError):
            await user
        await here.db.write("insert thing", INSERT, "a", 2)
        assert await here.count() == 1


async def test_cancelling_does_not_wait_for_a_stalled_link(database: str) -> None:
    """Who is cancelled while the link is stalled is gone at once, and the pool serves the next."""
    async with world(database, pool_size=1) as here:
        await here.count()
        here.proxy.flowing.clear()
        user = asyncio.create_task(here.count())
        await asyncio.sleep(0.05)
        user.cancel()
        started_s = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await user
        assert time.monotonic() - started_s < PATIENT_S / 2
        here.proxy.flowing.set()
        assert await here.count() == 0


async def test_a_repeated_statement_is_one_flight_and_no_reset(database: str) -> None:
    """Prepared once, a statement is one trip through the proxy, and giving the connection back is none."""
    async with world(database, pool_size=1) as here:
        await here.count()
        before = len(here.proxy.sent)
        for _ in range(10):
            await here.count()
        await asyncio.sleep(0.05)
        assert len(here.proxy.sent) - before == 10
        assert not any(
            b"UNLISTEN" in flight or b"advisory_unlock" in flight for flight in here.proxy.sent
        )


async def test_each_statement_has_its_span_and_its_metric(database: str) -> None:
    """The span has the summary for a name, the system, the operation, the link; a failure its mechanism."""
    async with world(database, statement_s=0.5) as here:
        await here.count()
        with pytest.raises(DatabaseFailed):
            await here.db.fetchrow("sleep", "SELECT pg_sleep(3)")
        counted = here.watched.count(
            "db_client_operation_duration_seconds_count",
            link="payments-db",
            db_query_summary="sleep",
            error_type="timeout",
        )
        assert counted == 1
        spans = {span.name: dict(span.attributes or {}) for span in here.watched.spans()}
    assert spans["count things"] == {
        "db.system.name": "postgresql",
        "db.operation.name": "SELECT",
        "db.query.summary": "count things",
        "aguante.link": "payments-db",
    }
    assert spans["sleep"]["error.type"] == "timeout"
