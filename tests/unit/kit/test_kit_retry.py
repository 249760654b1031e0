import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit_fakes import LINK, FakeClock, Recorder, failure

from services.kit.failures.failed import CallFailed
from services.kit.failures.problem import Mechanism
from services.kit.patterns.deadline import Deadline
from services.kit.patterns.retry import BURST_RETRIES, Retry, backoff_s
from services.kit.policy.sections import (
    Backoff,
    DeadlinePolicy,
    ExponentialBackoff,
    FixedBackoff,
    FullJitterBackoff,
    RetryPolicy,
)
from services.kit.telemetry.events import CallRejected, RetryScheduled

BACKOFF = FullJitterBackoff(first_ms=50, max_ms=400)
ON = (Mechanism.CONNECT_REFUSED, Mechanism.DISCONNECTED)


def policy(attempts: int = 3, budget: float | None = None) -> RetryPolicy:
    return RetryPolicy(attempts=attempts, on=ON, backoff=BACKOFF, budget=budget)


class World:
    """Retries with a clock of their own, a fixed draw, and a callee that fails as the script says."""

    def __init__(self, policy: RetryPolicy | None, *fails: Mechanism) -> None:
        self.clock = FakeClock()
        self.told = Recorder()
        self.fails = list(fails)
        self.attempts: list[int] = []
        self.retry_after_s: float | None = None
        self.retry = Retry(LINK, policy, self.told, sleep=self.clock.sleep, draw=lambda: 0.5)

    async def run(self, total_s: float = 5) -> str:
        deadline = Deadline.start(DeadlinePolicy(total_s=total_s, margin_s=0.2), self.clock)
        return await self.retry.run(self._attempt, deadline)

    async def _attempt(self, number: int) -> str:
        self.attempts.append(number)
        if self.fails:
            failed = failure(self.fails.pop(0))
            failed.retry_after_s = self.retry_after_s
            raise failed
        return "answer"


async def test_repeats_a_refused_call_and_tells_each_repetition() -> None:
    """Two refusals, then an answer: attempts 1, 2, 3, a jittered pause before each repetition."""
    world = World(policy(), Mechanism.CONNECT_REFUSED, Mechanism.DISCONNECTED)
    assert await world.run() == "answer"
    assert world.attempts == [1, 2, 3]
    assert world.told.events == [
        RetryScheduled(LINK, 1, 0.025, Mechanism.CONNECT_REFUSED),
        RetryScheduled(LINK, 2, 0.05, Mechanism.DISCONNECTED),
    ]
    assert world.clock.now_s == pytest.approx(1000.075)


@pytest.mark.parametrize(
    "mechanism", [Mechanism.TIMEOUT, Mechanism.BREAKER_OPEN, Mechanism.PAYMENT_DECLINED]
)
async def test_repeats_nothing_that_the_policy_does_not_list(mechanism: Mechanism) -> None:
    """A timeout may have charged, an open breaker wants quiet: one attempt, and the failure as it was."""
    world = World(policy(), mechanism)
    with pytest.raises(CallFailed) as failed:
        await world.run()
    assert failed.value.mechanism is mechanism
    assert world.attempts == [1]


async def test_gives_up_after_its_attempts_with_the_last_failure() -> None:
    """When every attempt fails, the last one's failure comes out, and not tenacity's own."""
    world = World(policy(2), Mechanism.CONNECT_REFUSED, Mechanism.DISCONNECTED)
    with pytest.raises(CallFailed) as failed:
        await world.run()
    assert failed.value.mechanism is Mechanism.DISCONNECTED
    assert world.attempts == [1, 2]


async def test_does_not_start_a_pause_that_outlasts_the_deadline() -> None:
    """With 10 ms of usable time left, a pause of 25 ms is not begun."""
    world = World(policy(), Mechanism.CONNECT_REFUSED)
    with pytest.raises(CallFailed):
        await world.run(total_s=0.21)
    assert world.clock.now_s == 1000.0


async def test_budget_limits_repetitions_to_a_share_of_calls() -> None:
    """When everything fails, retries are the burst and 10 % of the calls; the failure keeps its name."""
    world = World(policy(2, budget=0.1), *[Mechanism.CONNECT_REFUSED] * 1000)
    for _ in range(200):
        with pytest.raises(CallFailed) as failed:
            await world.run()
        assert failed.value.mechanism is Mechanism.CONNECT_REFUSED
    retries = len(world.told.of(RetryScheduled))
    assert retries == pytest.approx(BURST_RETRIES + 0.1 * 200, abs=1)
    assert world.told.of(CallRejected)[0] == CallRejected(LINK, Mechanism.RETRY_BUDGET_EXHAUSTED)


async def test_off_is_off() -> None:
    """Without a policy there is one attempt."""
    world = World(None, Mechanism.CONNECT_REFUSED)
    with pytest.raises(CallFailed):
        await world.run()
    assert world.attempts == [1]


async def test_an_unexpected_error_comes_out_at_once() -> None:
    """A fault of our own is not repeated."""
    world = World(policy())

    async def attempt(number: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await world.retry.run(attempt, Deadline.unlimited())
    assert world.told.events == []


@given(attempt=st.integers(1, 20), draw=st.floats(0, 1, exclude_max=True))
def test_full_jitter_stays_between_zero_and_the_ceiling(attempt: int, draw: float) -> None:
    """Every pause lies in [0, min(max, first * 2^(n-1)))."""
    pause_s = backoff_s(BACKOFF, attempt, lambda: draw)
    assert 0 <= pause_s <= min(0.4, 0.05 * 2 ** (attempt - 1))


@pytest.mark.parametrize(
    ("backoff", "pauses_ms"),
    [
        (FixedBackoff(pause_ms=70), [70, 70, 70, 70, 70]),
        (ExponentialBackoff(first_ms=50, max_ms=400), [50, 100, 200, 400, 400]),
        (FullJitterBackoff(first_ms=50, max_ms=400), [25, 50, 100, 200, 200]),
    ],
)
def test_each_kind_of_backoff_by_example(backoff: Backoff, pauses_ms: list[float]) -> None:
    """Fixed never changes, exponential doubles up to its limit, full jitter draws a share of that (here half)."""
    assert [backoff_s(backoff, n, lambda: 0.5) * 1000 for n in range(1, 6)] == pauses_ms


@pytest.mark.parametrize(("asked_s", "pause_s"), [(1.0, 1.0), (0.001, 0.025), (None, 0.025)])
async def test_retry_after_lengthens_a_pause_and_never_shortens_it(
    asked_s: float | None, pause_s: float
) -> None:
    """A callee that asks for a second gets it; one that asks for less than the backoff changes nothing."""
    world = World(policy(), Mechanism.CONNECT_REFUSED)
    world.retry_after_s = asked_s
    assert await world.run() == "answer"
    assert world.clock.now_s == pytest.approx(1000 + pause_s)


async def test_a_retry_after_beyond_the_deadline_ends_the_call() -> None:
    """Retry-After is ten seconds and five are left: there is no second attempt, and no wait for it."""
    world = World(policy(), Mechanism.CONNECT_REFUSED)
    world.retry_after_s = 10.0
    with pytest.raises(CallFailed):
        await world.run()
    assert (world.attempts, world.clock.now_s) == ([1], 1000.0)
