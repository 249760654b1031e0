"""Whatever goes wrong, in whatever order: after recovery the safety invariants hold."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st
from saga_harness import CAPACITY, Act, CrashError, Process, World

from services.inventory.domain import AllocationState
from services.kit.failures.problem import Problem
from services.kit.patterns.deadline import Deadline
from services.payments.domain import ChargeState
from services.reservations.domain import Order, Saga, State

ACTS = st.lists(st.sampled_from(list(Act)), max_size=14)
ORDERS = st.builds(
    Order,
    user_id=st.sampled_from(["u", "declined-u"]),
    event_id=st.just("e"),
    quantity=st.sampled_from([1, 4]),
)
REQUESTS = st.lists(st.tuples(st.sampled_from(["k1", "k2"]), ORDERS), min_size=1, max_size=4)


@dataclass(frozen=True)
class Told:
    """What the client of one request knows; None: it got no response."""

    reservation_id: str
    confirmed: bool
    definite: bool


async def request(process: Process, saga: Saga) -> Told | None:
    """Place one reservation as the handler does; a crash ends the process."""
    try:
        done = await process.runner.place(saga, Deadline.unlimited())
    except Problem as problem:
        return Told(problem.reservation_id or saga.reservation_id, False, problem.definite)
    return Told(done.reservation_id, True, False)


async def play(world: World, requests: list[tuple[str, Order]]) -> list[Told]:
    """Send the requests one after another; whenever the process crashes a new one takes its place."""
    told, process = [], Process(world)
    for number, (key, order) in enumerate(requests):
        try:
            answer = await request(process, Saga(f"r{number}", key, order))
            told.extend([answer] if answer else [])
            await asyncio.sleep(0)
        except CrashError:
            process = await replace_process(process)
    await replace_process(process)
    return told


async def replace_process(process: Process) -> Process:
    """Let background work end as its script says (it may also crash), and start a new process."""
    with suppress(CrashError):
        await process.compensator.drain(5)
    return Process(process.compensator.inventory.world)  # type: ignore[attr-defined]


def violations(world: World, told: list[Told]) -> list[str]:
    """Return every safety invariant that does not hold, as invariants/*.sql say them."""
    confirmed = {i for i, s in world.sagas.items() if s.state is State.CONFIRMED}
    seats = {i: a for i, a in world.allocations.items() if a.state is AllocationState.ALLOCATED}
    money = {i for i, c in world.charges.items() if c.state is ChargeState.CAPTURED}
    keys = Counter(world.sagas[i].idempotency_key for i in confirmed)
    allocated = sum(a.quantity for a in seats.values())
    versions = Counter((i, version) for i, version, _ in world.log)
    checks = {
        "settled": not world.live,
        "seats add up": world.event.available + allocated == CAPACITY and allocated <= CAPACITY,
        "one allocation each": set(seats) == confirmed,
        "one charge each": money == confirmed,
        "a 200 is kept": all(t.reservation_id in confirmed for t in told if t.confirmed),
        "definite is definite": not any(t.definite and t.reservation_id in confirmed for t in told),
        "one per key": all(count == 1 for count in keys.values()),
        "one step per version": all(count == 1 for count in versions.values()),
        "every notice goes out": confirmed <= set(world.notices),
    }
    return [name for name, holds in checks.items() if not holds]


@given(acts=ACTS, requests=REQUESTS, late_first=st.booleans())
@example(acts=[Act.OK, Act.LATE], requests=[("k1", Order("u", "e", 1))], late_first=False)
@example(acts=[Act.OK] * 3 + [Act.PAUSE], requests=[("k1", Order("u", "e", 1))], late_first=False)
@settings(max_examples=1_500, deadline=None)
async def test_invariants_hold_after_any_failures(
    acts: list[Act], requests: list[tuple[str, Order]], *, late_first: bool
) -> None:
    """Steps that fail, vanish, arrive late, crash or freeze never lose a seat, a charge or an answer."""
    world = World(script=iter(acts))
    told = await play(world, requests)
    world.script = iter(())
    if late_first:
        world.land_late_calls()
    await world.recover()
    world.land_late_calls()
    await world.recover()
    assert violations(world, told) == []
