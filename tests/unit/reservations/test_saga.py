"""One behaviour of the saga each; that they hold in any order is what the properties are for."""

import pytest
from saga_harness import Act, Process, World

from services.kit.failures.problem import Problem
from services.kit.patterns.deadline import Deadline
from services.reservations.compensation import ROUND_S, TASKS_MAX
from services.reservations.domain import Order, Saga, State

OK_TO_PAY = [Act.OK] * 3  # begin, reserve, RESERVED


def saga(user_id: str = "u", quantity: int = 1) -> Saga:
    return Saga("r", "k", Order(user_id, "e", quantity))


async def failed(process: Process, order: Saga) -> Problem:
    with pytest.raises(Problem) as caught:
        await process.runner.place(order, Deadline.unlimited())
    return caught.value


async def test_a_confirmed_saga_writes_four_times() -> None:
    """One trip to the database per state, and one call per callee."""
    world = World()
    done = await Process(world).runner.place(saga(), Deadline.unlimited())
    assert done.state is State.CONFIRMED
    assert world.sent == ["db", "inventory", "db", "payments", "db", "db", "notifications"]


async def test_the_answer_waits_for_no_compensation() -> None:
    """The client gets the failure before anything is given back, marked as not settled."""
    world = World(script=iter([*OK_TO_PAY, Act.LOST_AFTER]))
    problem = await failed(Process(world), saga())
    assert (problem.definite, problem.settled) == (True, False)
    assert world.sagas["r"].state is State.COMPENSATING
    assert world.sent[-1] == "db"


async def test_a_payment_that_was_refused_is_not_refunded() -> None:
    """Nothing was charged, so payments is left alone; the seats go back."""
    world = World(script=iter([*OK_TO_PAY, Act.REFUSED]))
    process = Process(world)
    await failed(process, saga())
    await process.compensator.drain(5)
    assert world.sagas["r"].state is State.COMPENSATED
    assert world.sent.count("payments") == 1
    assert world.charges == {}


async def test_a_compensation_round_ends_before_the_lease() -> None:
    """A round with callees that stay down ends well before another owner may take over."""
    world = World(script=iter([*OK_TO_PAY, Act.LOST_AFTER, Act.OK, *[Act.REFUSED] * 1_000]))
    process = Process(world)
    await failed(process, saga())
    await process.compensator.drain(5)
    assert world.sagas["r"].state is State.COMPENSATING
    assert 5 < world.now_s <= ROUND_S
    world.script = iter(())
    await world.recover()
    assert world.sagas["r"].state is State.COMPENSATED


async def test_compensations_are_limited() -> None:
    """A flood of failures starts no more tasks than the limit; the rest waits for its lease to run out."""
    process = Process(World())
    for _ in range(TASKS_MAX):
        process.compensator.start(saga())
    assert process.compensator.room == 0
    process.compensator.start(saga())
    assert process.compensator.room == 0
    await process.compensator.drain(5)
    assert process.compensator.room == TASKS_MAX


async def test_confirmed_is_tried_three_times() -> None:
    """Two failures to write it cost nothing but time."""
    world = World(script=iter([*[Act.OK] * 5, Act.REFUSED, Act.LOST_BEFORE]))
    done = await Process(world).runner.place(saga(), Deadline.unlimited())
    assert done.state is State.CONFIRMED


async def test_a_lost_commit_that_held_is_found_held() -> None:
    """The repetition finds the first attempt's row, and does not think that it lost."""
    world = World(script=iter([*[Act.OK] * 5, Act.LOST_AFTER]))
    done = await Process(world).runner.place(saga(), Deadline.unlimited())
    assert (done.state, done.version) == (State.CONFIRMED, 4)


async def test_an_unwritten_confirmed_is_indefinite_and_gives_nothing_back() -> None:
    """It is charged, so it goes forward: the worker confirms it when it can."""
    world = World(script=iter([*[Act.OK] * 5, Act.LOST_BEFORE, Act.REFUSED, Act.REFUSED]))
    problem = await failed(Process(world), saga())
    assert (problem.mechanism, problem.status, problem.definite) == ("commit_unknown", 503, False)
    assert world.sagas["r"].state is State.CHARGED
    await world.recover()
    assert world.sagas["r"].state is State.CONFIRMED
    assert world.notices == ["r"]


async def test_whoever_loses_the_saga_stops() -> None:
    """An owner that slept through its lease sends no payment, and responds with the state that the other one left."""
    world = World(script=iter([Act.OK, Act.PAUSE]))
    problem = await failed(Process(world), saga())
    assert (problem.status, problem.definite, problem.settled) == (503, True, True)
    assert "payments" not in world.sent
    assert world.sagas["r"].state is State.COMPENSATED


async def test_an_unstored_saga_sends_nothing() -> None:
    """Without its row there is no first step; the failure is definite."""
    world = World(script=iter([Act.REFUSED] * 3))
    problem = await failed(Process(world), saga())
    assert (problem.status, problem.definite, problem.settled) == (503, True, True)
    assert set(world.sent) == {"db"}


async def test_a_replay_before_the_mark_is_written_says_the_same() -> None:
    """The batch that marks sent notices is not on the answer's path, and not in its way either."""
    world = World()
    process = Process(world)
    first = await process.runner.place(saga(), Deadline.unlimited())
    again = await process.runner.place(Saga("r2", "k", saga().order), Deadline.unlimited())
    assert first.notification_sent
    assert again == first
    await process.marks.flush()
    assert world.sagas["r"].notification_sent
    assert await process.runner.place(Saga("r3", "k", saga().order), Deadline.unlimited()) == first


async def test_an_undelivered_notice_comes_due_again() -> None:
    """Notifications may fail twice: the notice is sent until it has gone out, and then no more."""
    world = World(script=iter([*[Act.OK] * 6, Act.REFUSED, Act.REFUSED]))
    process = Process(world)
    done = await process.runner.place(saga(), Deadline.unlimited())
    assert not done.notification_sent
    for _ in range(3):
        world.now_s += 30
        await process.outbox_worker.deliver_due()
    assert world.notices == ["r"]
