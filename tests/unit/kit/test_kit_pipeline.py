"""The order of the layers, each shown by what the outer one does to the inner one."""

import asyncio

import pytest
from kit_fakes import LINK, FakeClock, Recorder, failure

from services.kit.failures.failed import CallFailed
from services.kit.failures.problem import Mechanism
from services.kit.patterns.deadline import Deadline
from services.kit.patterns.pipeline import Attempt, Pipeline
from services.kit.policy.sections import (
    BreakerPolicy,
    BulkheadPolicy,
    DeadlinePolicy,
    FixedBackoff,
    LinkPolicy,
    RetryPolicy,
)
from services.kit.telemetry.events import BreakerChanged, CallRejected, RetryScheduled

OFF = {"timeout_s": None, "retry": None, "breaker": None, "bulkhead": None}
TWICE = RetryPolicy(
    attempts=2,
    on=(Mechanism.TIMEOUT, Mechanism.CONNECT_REFUSED),
    backoff=FixedBackoff(pause_ms=0),
    budget=None,
)
BREAKER = BreakerPolicy(failures=2, reset_s=5)


class Link:
    """A pipeline over a callee that fails as the script says, and then responds."""

    def __init__(self, *script: CallFailed, **layers: object) -> None:
        self.events = Recorder()
        self.pipeline = Pipeline(LINK, LinkPolicy(**{**OFF, **layers}), self.events)  # type: ignore[arg-type]
        self.script = list(script)
        self.attempts: list[Attempt] = []

    async def call(self, deadline: Deadline | None = None, first: int = 1) -> str:
        return await self.pipeline.run(self._send, deadline or Deadline.unlimited(), first)

    async def fails(self, deadline: Deadline | None = None) -> CallFailed:
        with pytest.raises(CallFailed) as failed:
            await self.call(deadline)
        return failed.value

    async def _send(self, attempt: Attempt) -> str:
        self.attempts.append(attempt)
        if self.script:
            raise self.script.pop(0)
        return "response"


async def test_without_any_layer_the_call_goes_straight_through() -> None:
    """One attempt, without a limit."""
    link = Link()
    assert await link.call() == "response"
    (attempt,) = link.attempts
    assert (attempt.number, attempt.limit.timeout_s) == (1, float("inf"))
    assert link.events.events == []


async def test_retry_is_outside_the_breaker() -> None:
    """The breaker counts both attempts of one call, so it is open after it."""
    link = Link(failure(), failure(), retry=TWICE, breaker=BREAKER)
    await link.fails()
    assert [attempt.number for attempt in link.attempts] == [1, 2]
    assert [type(event) for event in link.events.events] == [RetryScheduled, BreakerChanged]


async def test_what_the_breaker_refuses_is_not_repeated() -> None:
    """Nothing is sent, and retry lets the refusal pass."""
    link = Link(failure(), failure(), retry=TWICE, breaker=BREAKER)
    await link.fails()
    assert (await link.fails()).mechanism is Mechanism.BREAKER_OPEN
    assert len(link.attempts) == 2


async def test_the_breaker_is_outside_the_bulkhead() -> None:
    """A full bulkhead is no failure of the callee; an open breaker refuses before a slot is asked for."""
    link = Link(breaker=BREAKER, bulkhead=BulkheadPolicy(limit=1))
    waiting = asyncio.Event()

    async def slow(attempt: Attempt) -> str:
        await waiting.wait()
        return "response"

    held = asyncio.create_task(link.pipeline.run(slow, Deadline.unlimited()))
    await asyncio.sleep(0)
    for _ in range(BREAKER.failures + 1):
        assert (await link.fails()).mechanism is Mechanism.BULKHEAD_FULL
    waiting.set()
    assert await held == "response"
    link.script = [failure(), failure()]
    for _ in range(BREAKER.failures):
        await link.fails()
    assert (await link.fails()).mechanism is Mechanism.BREAKER_OPEN
    assert link.pipeline.bulkhead.in_flight == 0


async def test_the_timeout_is_innermost_and_cut_to_what_the_deadline_leaves() -> None:
    """Each attempt gets a limit of its own: the step's 3 s, or the 1.8 s that are left."""
    clock = FakeClock()
    deadline = Deadline.start(DeadlinePolicy(total_s=5, margin_s=0.2), clock)
    link = Link(failure(), retry=TWICE, timeout_s=3)
    await link.call(deadline)
    clock.now_s += 3
    await link.call(deadline)
    limits = [(round(a.limit.timeout_s, 3), a.limit.mechanism) for a in link.attempts]
    assert limits == [(3, "timeout"), (3, "timeout"), (1.8, "deadline")]


async def test_a_deadline_that_has_passed_is_no_failure_for_the_breaker() -> None:
    """Nothing is sent, definitely, and nothing is counted."""
    clock = FakeClock()
    deadline = Deadline.start(DeadlinePolicy(total_s=1, margin_s=0.2), clock)
    clock.now_s += 1
    link = Link(breaker=BREAKER, timeout_s=3)
    for _ in range(BREAKER.failures + 1):
        failed = await link.fails(deadline)
        assert (failed.mechanism, failed.definite) == (Mechanism.DEADLINE, True)
    assert {type(event) for event in link.events.events} == {CallRejected}
    assert link.attempts == []


@pytest.mark.parametrize(("first", "definite"), [(Mechanism.TIMEOUT, False), (None, True)])
async def test_a_repeated_call_is_indefinite_as_soon_as_one_attempt_was(
    first: Mechanism | None, definite: bool
) -> None:
    """Refused at the second attempt says nothing about the first, which may still be carried out."""
    refused = [failure(Mechanism.CONNECT_REFUSED) for _ in range(2)]
    for each in refused:
        each.definite = True
    script = [failure(first), refused[0]] if first else refused
    link = Link(*script, retry=TWICE)
    failed = await link.fails()
    assert (failed.mechanism, failed.definite) == (Mechanism.CONNECT_REFUSED, definite)


async def test_a_caller_that_repeats_by_itself_numbers_its_attempts() -> None:
    """A compensation's third attempt is number 3 in its span, though the pipeline makes one attempt each time."""
    link = Link()
    await link.call(first=3)
    assert [attempt.number for attempt in link.attempts] == [3]
