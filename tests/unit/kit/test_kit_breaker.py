import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit_fakes import LINK, FakeClock, Recorder, failure

from services.kit.failures.failed import CallFailed
from services.kit.failures.problem import Mechanism
from services.kit.patterns.breaker import Breaker
from services.kit.policy.sections import BreakerPolicy
from services.kit.telemetry.events import BreakerChanged, BreakerState, CallRejected, ProbeAdmitted

POLICY = BreakerPolicy(failures=5, reset_s=5)


class World:
    """A breaker, its clock and the events that it emitted."""

    def __init__(self, policy: BreakerPolicy | None = POLICY) -> None:
        self.clock = FakeClock()
        self.told = Recorder()
        self.breaker = Breaker(LINK, policy, self.told, self.clock)

    async def succeed(self) -> str:
        async def attempt() -> str:
            return "answer"

        return await self.breaker.run(attempt)

    async def fail(self, with_: BaseException | None = None) -> None:
        async def attempt() -> None:
            raise with_ or failure()

        with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever was raised inside comes out
            await self.breaker.run(attempt)

    async def open(self) -> None:
        for _ in range(POLICY.failures):
            await self.fail()
        assert self.breaker.state is BreakerState.OPEN

    async def half_open_with_probe(self) -> tuple[asyncio.Task[str], asyncio.Future[str]]:
        """Open it, wait for the reset, and leave one probe hanging on the future."""
        await self.open()
        self.clock.now_s += POLICY.reset_s
        return await self.hang()

    async def hang(self) -> tuple[asyncio.Task[str], asyncio.Future[str]]:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def attempt() -> str:
            return await answer

        task = asyncio.create_task(self.breaker.run(attempt))
        await asyncio.sleep(0)
        return task, answer

    async def is_refused(self) -> bool:
        try:
            await self.succeed()
        except CallFailed as refusal:
            return refusal.mechanism is Mechanism.BREAKER_OPEN
        return False


async def test_opens_at_the_fifth_consecutive_failure() -> None:
    """Four failures leave it closed, the fifth opens it, and the change is emitted once."""
    world = World()
    for _ in range(4):
        await world.fail()
    assert world.breaker.state is BreakerState.CLOSED
    await world.fail()
    assert world.told.of(BreakerChanged) == [
        BreakerChanged(LINK, BreakerState.CLOSED, BreakerState.OPEN)
    ]


async def test_a_success_starts_the_count_anew() -> None:
    """Failures count only when they are consecutive."""
    world = World()
    for _ in range(3):
        for _ in range(4):
            await world.fail()
        await world.succeed()
    assert world.breaker.state is BreakerState.CLOSED


async def test_open_refuses_definitely_and_in_the_callers_name() -> None:
    """An open breaker raises breaker_open, definite, from the caller, and makes no call."""
    world = World()
    await world.open()
    with pytest.raises(CallFailed) as refused:
        await world.succeed()
    assert (refused.value.mechanism, refused.value.definite) == (Mechanism.BREAKER_OPEN, True)
    assert (refused.value.origin, refused.value.link) == ("reservations", LINK)
    assert world.told.of(CallRejected) == [CallRejected(LINK, Mechanism.BREAKER_OPEN)]


async def test_stays_open_until_reset() -> None:
    """Just before reset_s it refuses, at reset_s it admits."""
    world = World()
    await world.open()
    world.clock.now_s += POLICY.reset_s - 0.001
    assert await world.is_refused()
    world.clock.now_s += 0.001
    assert not await world.is_refused()
    assert world.breaker.state is BreakerState.CLOSED


async def test_half_open_admits_one_probe_among_a_hundred_callers() -> None:
    """While the probe is under way, 99 concurrent callers are refused."""
    world = World()
    probe, answer = await world.half_open_with_probe()
    refused = await asyncio.gather(*(world.is_refused() for _ in range(99)))
    assert all(refused)
    assert len(world.told.of(ProbeAdmitted)) == 1
    answer.set_result("back")
    assert await probe == "back"
    assert world.breaker.state is BreakerState.CLOSED


async def test_failed_probe_opens_it_again_for_the_whole_reset_time() -> None:
    """After a failed probe the reset time starts over."""
    world = World()
    probe, answer = await world.half_open_with_probe()
    world.clock.now_s += 1
    answer.set_exception(failure())
    with pytest.raises(CallFailed):
        await probe
    assert world.breaker.state is BreakerState.OPEN
    world.clock.now_s += POLICY.reset_s - 0.001
    assert await world.is_refused()


async def test_stragglers_of_an_earlier_generation_change_nothing() -> None:
    """Calls admitted before it opened fail later: no second transition, and the reset is not pushed back."""
    world = World()
    hanging = [await world.hang() for _ in range(20)]
    await world.open()
    world.clock.now_s += POLICY.reset_s - 0.001
    for task, answer in hanging:
        answer.set_exception(failure())
        with pytest.raises(CallFailed):
            await task
    assert len(world.told.of(BreakerChanged)) == 1
    world.clock.now_s += 0.001
    assert not await world.is_refused()


async def test_a_straggler_neither_closes_nor_decides_the_probe() -> None:
    """A call admitted when closed succeeds while half-open: the probe alone decides."""
    world = World()
    old_task, old_answer = await world.hang()
    probe, answer = await world.half_open_with_probe()
    old_answer.set_result("late")
    await old_task
    assert world.breaker.state is BreakerState.HALF_OPEN
    assert await world.is_refused()
    answer.set_result("back")
    await probe
    assert world.breaker.state is BreakerState.CLOSED


async def test_cancelled_probe_frees_the_slot_and_is_not_counted() -> None:
    """A cancelled probe leaves the breaker half-open, and the next caller probes."""
    world = World()
    probe, _ = await world.half_open_with_probe()
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert world.breaker.state is BreakerState.HALF_OPEN
    assert not await world.is_refused()


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (failure(Mechanism.TIMEOUT), True),
        (failure(Mechanism.DISCONNECTED), True),
        (failure(Mechanism.CONNECTION_RESET), True),
        (failure(Mechanism.CONNECT_REFUSED), True),
        (failure(Mechanism.BAD_ANSWER, status=200), True),
        (failure(Mechanism.INTERNAL_ERROR, status=500, origin="payments", link=None), True),
        (
            failure(Mechanism.POOL_EXHAUSTED, status=503, origin="payments", link="payments-db"),
            True,
        ),
        (failure(Mechanism.TIMEOUT, status=504, origin="elsewhere", link="payments-x"), False),
        (failure(Mechanism.DEADLINE), False),
        (failure(Mechanism.BULKHEAD_FULL), False),
        (failure(Mechanism.PAYMENT_DECLINED, status=402, origin="payments", link=None), False),
        (failure(Mechanism.SOLD_OUT, status=409, origin="payments", link=None), False),
        (asyncio.CancelledError(), False),
        (ZeroDivisionError(), False),
    ],
    ids=repr,
)
async def test_counts_only_what_says_that_the_callee_is_ill(
    told: BaseException, counted: bool
) -> None:
    """No answer on the link and the callee's own 5xx count; business answers, deadlines and cancels do not."""
    world = World()
    for _ in range(POLICY.failures):
        await world.fail(told)
    assert (world.breaker.state is BreakerState.OPEN) is counted


@pytest.mark.parametrize("mechanism", [Mechanism.DEADLINE, Mechanism.BULKHEAD_FULL])
async def test_what_is_not_recorded_resets_nothing(mechanism: Mechanism) -> None:
    """A call cut short by the deadline is no success: four failures before it still count."""
    world = World()
    for _ in range(4):
        await world.fail()
    await world.fail(failure(mechanism))
    await world.fail()
    assert world.breaker.state is BreakerState.OPEN


async def test_a_business_refusal_closes_a_half_open_breaker() -> None:
    """402 and 409 are successes: the callee is well."""
    world = World()
    await world.open()
    world.clock.now_s += POLICY.reset_s
    await world.fail(failure(Mechanism.PAYMENT_DECLINED, status=402, origin="payments", link=None))
    assert world.breaker.state is BreakerState.CLOSED


async def test_off_is_off() -> None:
    """Without a policy nothing is counted, emitted or refused."""
    world = World(policy=None)
    for _ in range(100):
        await world.fail()
    assert await world.succeed() == "answer"
    assert world.told.events == []


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.just(0)),
        st.tuples(st.sampled_from(["succeed", "fail", "cancel", "deadline"]), st.integers(0, 200)),
        st.tuples(st.just("wait"), st.sampled_from([1, 4, 5])),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_under_any_interleaving_one_probe_at_a_time_and_only_legal_changes(
    steps: list[tuple[str, int]],
) -> None:
    """Any order of starts, outcomes and waits: at most one probe under way, and a chain of legal changes."""
    asyncio.run(_interleave(steps))


async def _interleave(steps: list[tuple[str, int]]) -> None:
    world = World()
    under_way: list[tuple[asyncio.Task[str], asyncio.Future[str], bool]] = []
    for act, number in steps:
        if act == "wait":
            world.clock.now_s += number
        elif act == "start":
            probes = len(world.told.of(ProbeAdmitted))
            task, answer = await world.hang()
            is_probe = len(world.told.of(ProbeAdmitted)) > probes
            assert not (is_probe and any(p and not t.done() for t, _, p in under_way))
            under_way.append((task, answer, is_probe))
        elif under_way:
            task, answer, _ = under_way[number % len(under_way)]
            await _end(act, task, answer)
    for task, answer, _ in under_way:
        await _end("succeed", task, answer)
    _assert_chain(world)


async def _end(act: str, task: asyncio.Task[str], answer: asyncio.Future[str]) -> None:
    if not task.done():
        if act == "succeed":
            answer.set_result("answer")
        elif act == "cancel":
            task.cancel()
        else:
            answer.set_exception(
                failure(Mechanism.DEADLINE if act == "deadline" else Mechanism.TIMEOUT)
            )
    await asyncio.gather(task, return_exceptions=True)


def _assert_chain(world: World) -> None:
    legal = {
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "open"),
        ("half_open", "closed"),
    }
    state = BreakerState.CLOSED
    for change in world.told.of(BreakerChanged):
        assert isinstance(change, BreakerChanged)
        assert change.before is state
        assert (change.before.value, change.after.value) in legal
        state = change.after
    assert state is world.breaker.state
