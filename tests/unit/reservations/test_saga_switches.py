"""Compensation and degradation switched off by policy: really off, and what each of them is worth."""

from dataclasses import dataclass, replace

import pytest
from saga_harness import CAPACITY, Act, CrashError, Process, World

from services.inventory.domain import AllocationState
from services.kit.failures.failed import CallFailed
from services.kit.failures.problem import Mechanism, Problem
from services.kit.patterns.deadline import Deadline
from services.payments.domain import ChargeState
from services.reservations.domain import Notice, Order, Saga, State

OK_TO_PAY = [Act.OK] * 3  # begin, reserve, RESERVED
OK_TO_NOTIFY = [Act.OK] * 5  # and pay, CHARGED


def saga(name: str = "r", user_id: str = "u", key: str = "k") -> Saga:
    return Saga(name, key, Order(user_id, "e", 1))


async def failed(process: Process, order: Saga) -> Problem:
    with pytest.raises(Problem) as caught:
        await process.runner.place(order, Deadline.unlimited())
    return caught.value


def kept(world: World) -> tuple[int, list[ChargeState]]:
    """Return the seats that cannot be sold any more, and the charges as they stand."""
    seats = CAPACITY - world.event.available
    return seats, [charge.state for charge in world.charges.values()]


async def test_without_compensation_a_lost_payment_keeps_seats_and_money() -> None:
    """The failure is definite and not settled; the saga has ended, and recovery changes nothing."""
    world = World(script=iter([*OK_TO_PAY, Act.LOST_AFTER]))
    process = Process(world, compensation=None)
    problem = await failed(process, saga())
    assert (problem.mechanism, problem.definite, problem.settled) == ("disconnected", True, False)
    assert world.sagas["r"].state is State.ABORTED
    await process.compensator.drain(5)
    await world.recover()
    assert world.sent.count("inventory") == world.sent.count("payments") == 1
    assert kept(world) == (1, [ChargeState.CAPTURED])


async def test_without_compensation_seats_that_may_be_held_are_not_settled() -> None:
    """Whether the seats are taken is unknown, and they are not given back: hence not settled."""
    world = World(script=iter([Act.OK, Act.LOST_AFTER]))
    problem = await failed(Process(world, compensation=None), saga())
    assert (problem.definite, problem.settled) == (True, False)
    assert kept(world) == (1, [])


async def test_without_compensation_a_refused_seat_is_still_settled() -> None:
    """Nothing was taken, so there is nothing to give back either way."""
    world = World(script=iter([Act.OK, Act.REFUSED]))
    problem = await failed(Process(world, compensation=None), saga())
    assert (problem.definite, problem.settled) == (True, True)
    assert kept(world) == (0, [])


async def test_without_compensation_a_replayed_decline_says_that_its_seats_are_kept() -> None:
    """The same key gets the same answer, `settled` included."""
    process = Process(World(), compensation=None)
    first = await failed(process, saga(user_id="declined-u"))
    again = await failed(process, saga("r2", user_id="declined-u"))
    for problem in (first, again):
        assert problem.mechanism is Mechanism.PAYMENT_DECLINED
        assert (problem.definite, problem.settled) == (True, False)


async def test_without_compensation_recovery_ends_a_lost_saga_and_keeps_what_it_took() -> None:
    """A crash before the payment: the worker ends the saga, sends nothing, and the seat stays taken."""
    world = World(script=iter([*OK_TO_PAY, Act.CRASH_BEFORE]))
    with pytest.raises(CrashError):
        await Process(world).runner.place(saga(), Deadline.unlimited())
    world.script, world.now_s = iter(()), 100.0
    process = Process(world, compensation=None)
    await process.worker.recover_expired()
    await process.compensator.drain(5)
    assert world.sagas["r"].state is State.ABORTED
    assert kept(world) == (1, [])


async def test_with_degradation_a_failed_notice_leaves_the_reservation() -> None:
    """The default, for comparison: confirmed, and notified later."""
    world = World(script=iter([*[Act.OK] * 6, Act.REFUSED]))
    done = await Process(world).runner.place(saga(), Deadline.unlimited())
    assert (done.state, done.notification_sent) == (State.CONFIRMED, False)


@pytest.mark.parametrize("act", [Act.REFUSED, Act.LOST_BEFORE, Act.LOST_AFTER])
async def test_without_degradation_a_failed_notice_fails_the_reservation(act: Act) -> None:
    """Definitely so: it is compensated, seats and money both."""
    world = World(script=iter([*OK_TO_NOTIFY, act]))
    process = Process(world, degrade=False)
    problem = await failed(process, saga())
    assert (problem.link, problem.status) == ("reservations-notifications", 503)
    assert (problem.definite, problem.settled) == (True, False)
    await process.compensator.drain(5)
    assert world.sagas["r"].state is State.COMPENSATED
    assert kept(world) == (0, [ChargeState.REFUNDED])
    assert world.allocations["r"].state is AllocationState.RELEASED


async def test_without_degradation_the_user_is_told_before_the_reservation_is_confirmed() -> None:
    """The notice is a step like any other, and is not sent again from the outbox."""
    world = World()
    process = Process(world, degrade=False)
    done = await process.runner.place(saga(), Deadline.unlimited())
    assert (done.state, done.notification_sent) == (State.CONFIRMED, True)
    assert world.sent == ["db", "inventory", "db", "payments", "db", "notifications", "db"]
    await process.marks.flush()
    world.now_s += 60
    await process.outbox_worker.deliver_due()
    assert world.notices == ["r"]


@dataclass
class Asleep:
    """A notifications that takes longer than the owner's lease, and then fails."""

    world: World

    async def notify(self, notice: Notice, deadline: Deadline) -> None:
        await self.world.recover()
        raise CallFailed(Mechanism.TIMEOUT, False, "reservations-notifications", "reservations")


async def test_without_degradation_a_saga_that_others_confirmed_stays_confirmed() -> None:
    """An owner that slept through its lease, and then cannot notify, undoes nothing: it has lost the saga."""
    world = World()
    runner = replace(Process(world, degrade=False).runner, notifications=Asleep(world))
    done = await runner.place(saga(), Deadline.unlimited())
    assert done.state is State.CONFIRMED
    assert kept(world) == (1, [ChargeState.CAPTURED])
