"""The fake repository of the saga's unit tests and the real one keep the same contract."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest

from services.kit.database.pool import Database
from services.kit.telemetry.telemetry import Telemetry
from services.reservations.domain import Failure, Order, Outcome, Saga, State, Trace, advance, apply
from services.reservations.repository import SCHEMA, Sagas
from services.shop.policy import Policy

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "reservations"))
from saga_harness import FakeSagas, World

TRACE = Trace("a" * 32, "b" * 16)
DOWN = Failure(503, "disconnected", "reservations", "reservations-payments", "it closed")
SOLD_OUT = Failure(409, "sold_out", "inventory", None, "none left")


@dataclass
class Subject:
    """A repository under test, and a way to let time pass for it."""

    sagas: Sagas | FakeSagas
    pass_time: Callable[[float], Awaitable[None]]


@pytest.fixture(params=["fake", "real"])
async def subject(
    request: pytest.FixtureRequest, policy: Policy, new_database: Callable[[], Awaitable[str]]
) -> AsyncIterator[Subject]:
    if request.param == "fake":
        world = World()

        async def skip(seconds: float) -> None:
            world.now_s += seconds

        yield Subject(FakeSagas(world), skip)
        return
    url = await new_database()
    database = Database(
        "reservations-db", url, policy.database, Telemetry.start("reservations", None, {})
    )
    await database.open(SCHEMA)

    async def backdate(seconds: float) -> None:
        await database.write(
            "UPDATE",
            "WITH s AS (UPDATE sagas SET lease_until = lease_until - make_interval(secs => $1)) "
            "UPDATE outbox SET due_at = due_at - make_interval(secs => $1)",
            seconds,
        )

    yield Subject(Sagas(database), backdate)
    await database.close()


def new(reservation_id: str = "r", key: str = "k", quantity: int = 2) -> Saga:
    return Saga(reservation_id, key, Order("u", "e", quantity), trace=TRACE)


async def move(
    subject: Subject, saga: Saga, outcome: Outcome, failure: Failure | None = None
) -> Saga:
    """Commit the next transition, which must succeed."""
    decision = advance(saga.state, outcome)
    after = apply(saga, decision, failure)
    assert await subject.sagas.commit(saga, after, decision.reason)
    return after


async def test_begin_stores_the_saga_whole(subject: Subject) -> None:
    """What is read is what was stored."""
    assert await subject.sagas.begin(new()) is None
    record = await subject.sagas.find("r")
    assert record is not None
    assert (record.saga, record.notice_delivered) == (new(), False)


async def test_find_of_an_unknown_id_is_none(subject: Subject) -> None:
    """There is no such reservation."""
    assert await subject.sagas.find("r") is None


async def test_begin_again_returns_the_saga_of_that_id(subject: Subject) -> None:
    """A repeated insert finds its own row, in any state, even if another saga holds the key."""
    await subject.sagas.begin(new())
    assert await subject.sagas.begin(new()) == new()
    failed = await move(subject, new(), Outcome.DEFINITE, DOWN)
    await subject.sagas.begin(new("r2"))
    assert await subject.sagas.begin(new()) == failed


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
async def test_a_live_or_confirmed_saga_holds_its_key(subject: Subject, steps: int) -> None:
    """A second saga with the key is refused, and the holder returned."""
    saga = new()
    await subject.sagas.begin(saga)
    for _ in range(steps):
        saga = await move(subject, saga, Outcome.OK)
    assert await subject.sagas.begin(new("r2")) == saga
    assert await subject.sagas.find("r2") is None


async def test_a_technical_failure_frees_the_key_at_once(subject: Subject) -> None:
    """From COMPENSATING on the failure is definite, so the next saga may begin."""
    await subject.sagas.begin(new())
    await move(subject, new(), Outcome.INDEFINITE, DOWN)
    assert await subject.sagas.begin(new("r2")) is None


async def test_a_business_failure_keeps_the_key(subject: Subject) -> None:
    """Sold out is replayed, with the whole failure."""
    await subject.sagas.begin(new())
    await move(subject, new(), Outcome.DEFINITE, SOLD_OUT)
    holder = await subject.sagas.begin(new("r2"))
    assert holder is not None
    assert (holder.reservation_id, holder.failure) == ("r", SOLD_OUT)


async def test_concurrent_sagas_with_one_key_begin_once(subject: Subject) -> None:
    """Of twenty at once exactly one begins; all others get that one."""
    sagas = [new(f"r{n}") for n in range(20)]
    holders = await asyncio.gather(*(subject.sagas.begin(saga) for saga in sagas))
    begun = [saga for saga, holder in zip(sagas, holders, strict=True) if holder is None]
    assert len(begun) == 1
    assert {h.reservation_id for h in holders if h} == {begun[0].reservation_id}


async def test_commit_is_a_compare_and_set(subject: Subject) -> None:
    """Of two owners that decide from one state, one commits, and the other changes nothing."""
    await subject.sagas.begin(new())
    forward = apply(new(), advance(State.PENDING, Outcome.OK))
    back = apply(new(), advance(State.PENDING, Outcome.INDEFINITE), DOWN)
    both = await asyncio.gather(
        subject.sagas.commit(new(), forward, "forward"), subject.sagas.commit(new(), back, "back")
    )
    assert sorted(both) == [False, True]
    record = await subject.sagas.find("r")
    assert record is not None
    assert record.saga == (forward if both[0] else back)


async def test_commit_compares_the_version_too(subject: Subject) -> None:
    """The same state at another version belongs to another owner."""
    await subject.sagas.begin(new())
    await subject.pass_time(16)
    assert len(await subject.sagas.claim_expired(10)) == 1
    assert not await subject.sagas.commit(
        new(), apply(new(), advance(State.PENDING, Outcome.OK)), "late"
    )


async def test_only_expired_leases_are_claimed_and_once(subject: Subject) -> None:
    """A live owner is left alone; a lost one's saga goes to one worker, at a new version."""
    await subject.sagas.begin(new())
    assert await subject.sagas.claim_expired(10) == []
    await subject.pass_time(16)
    claims = await asyncio.gather(*(subject.sagas.claim_expired(10) for _ in range(3)))
    assert [saga for claim in claims for saga in claim] == [replace(new(), version=2)]
    assert await subject.sagas.claim_expired(10) == []


async def test_each_transition_renews_the_lease(subject: Subject) -> None:
    """An owner that gets on keeps its saga."""
    await subject.sagas.begin(new())
    await subject.pass_time(10)
    await move(subject, new(), Outcome.OK)
    await subject.pass_time(10)
    assert await subject.sagas.claim_expired(10) == []


async def test_ended_sagas_are_never_claimed(subject: Subject) -> None:
    """Nothing is left to do for them."""
    await subject.sagas.begin(new())
    await move(subject, new(), Outcome.DEFINITE, SOLD_OUT)
    await subject.pass_time(1_000)
    assert await subject.sagas.claim_expired(10) == []


async def test_claims_are_limited(subject: Subject) -> None:
    """A worker takes no more than its limit."""
    for n in range(3):
        await subject.sagas.begin(new(f"r{n}", f"k{n}"))
    await subject.pass_time(16)
    assert len(await subject.sagas.claim_expired(2)) == 2
    assert len(await subject.sagas.claim_expired(2)) == 1


async def confirmed(subject: Subject) -> Saga:
    saga = new()
    await subject.sagas.begin(saga)
    for _ in range(3):
        saga = await move(subject, saga, Outcome.OK)
    return saga


async def test_the_notice_is_queued_with_confirmed_and_comes_due_later(subject: Subject) -> None:
    """Whoever confirmed has time to send it; then it is anybody's, again and again until delivered."""
    saga = await confirmed(subject)
    assert await subject.sagas.claim_due(10) == []
    await subject.pass_time(11)
    notices = await subject.sagas.claim_due(10)
    assert [(n.reservation_id, n.order) for n in notices] == [("r", saga.order)]
    assert await subject.sagas.claim_due(10) == []
    await subject.pass_time(31)
    assert len(await subject.sagas.claim_due(10)) == 1


async def test_a_delivered_notice_is_never_due_again(subject: Subject) -> None:
    """Delivered later: the saga keeps what the response said, and the record has the delivery."""
    await confirmed(subject)
    await subject.sagas.mark_delivered(["r"])
    await subject.pass_time(100)
    assert await subject.sagas.claim_due(10) == []
    record = await subject.sagas.find("r")
    assert record is not None
    assert (record.saga.notification_sent, record.notice_delivered) == (False, True)


async def test_a_notice_sent_inline_is_told_in_the_saga(subject: Subject) -> None:
    """The response said that it was sent, and a replay says so again."""
    await confirmed(subject)
    await subject.sagas.mark_sent_inline(["r"])
    record = await subject.sagas.find("r")
    assert record is not None
    assert (record.saga.notification_sent, record.notice_delivered) == (True, True)


async def test_every_transition_is_logged(policy: Policy, database: str) -> None:
    """The log has one row per version, from acceptance to the end."""
    telemetry = Telemetry.start("reservations", None, {})
    handle = Database("reservations-db", database, policy.database, telemetry)
    await handle.open(SCHEMA)
    await confirmed(Subject(Sagas(handle), asyncio.sleep))
    await handle.close()
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("SELECT version, from_state, to_state FROM saga_log ORDER BY 1")
    await connection.close()
    assert [tuple(row) for row in rows] == [
        (1, None, "PENDING"),
        (2, "PENDING", "RESERVED"),
        (3, "RESERVED", "CHARGED"),
        (4, "CHARGED", "CONFIRMED"),
    ]
