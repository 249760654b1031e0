import asyncio

import pytest
from kit_fakes import LINK, Recorder

from services.kit.failures.failed import CallFailed
from services.kit.failures.problem import Mechanism, Problem
from services.kit.patterns.bulkhead import Bulkhead
from services.kit.patterns.semaphore import Semaphore
from services.kit.policy.sections import BulkheadPolicy, SemaphorePolicy
from services.kit.telemetry.events import CallRejected, RequestRejected


def test_semaphore_turns_the_next_request_away_at_once() -> None:
    """With both slots taken the third request gets 429 with Retry-After, and an event is emitted."""
    told = Recorder()
    semaphore = Semaphore(SemaphorePolicy(limit=2), told)
    with semaphore.slot(), semaphore.slot(), pytest.raises(Problem) as refused, semaphore.slot():
        pass
    assert (refused.value.status, refused.value.retry_after_s) == (429, 1)
    assert told.events == [RequestRejected(Mechanism.SEMAPHORE_FULL)]


def test_semaphore_frees_the_slot_of_a_request_that_failed() -> None:
    """A request that raises gives its slot back; one that was refused has none to give."""
    semaphore = Semaphore(SemaphorePolicy(limit=1), Recorder())
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), semaphore.slot():
            raise ZeroDivisionError
    assert semaphore.in_flight == 0


def test_semaphore_off_is_off() -> None:
    """Without a policy a thousand requests get in."""
    semaphore = Semaphore(None, Recorder())
    slots = [semaphore.slot() for _ in range(1000)]
    for slot in slots:
        slot.__enter__()
    assert semaphore.in_flight == 1000


async def test_bulkhead_refuses_definitely_when_full() -> None:
    """With its slots taken the next call is bulkhead_full, definite, from the caller, and not made."""
    told = Recorder()
    bulkhead = Bulkhead(LINK, BulkheadPolicy(limit=2), told)
    hold = asyncio.Event()
    calls = [asyncio.create_task(bulkhead.run(hold.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(CallFailed) as refused:
        await bulkhead.run(hold.wait)
    assert (refused.value.mechanism, refused.value.definite) == (Mechanism.BULKHEAD_FULL, True)
    assert refused.value.origin == "reservations"
    assert told.events == [CallRejected(LINK, Mechanism.BULKHEAD_FULL)]
    hold.set()
    await asyncio.gather(*calls)
    assert bulkhead.in_flight == 0


async def test_bulkhead_frees_the_slot_of_a_cancelled_call() -> None:
    """A cancelled call gives its slot back."""
    bulkhead = Bulkhead(LINK, BulkheadPolicy(limit=1), Recorder())
    call = asyncio.create_task(bulkhead.run(asyncio.Event().wait))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert bulkhead.in_flight == 0


async def test_bulkhead_off_is_off() -> None:
    """Without a policy every call goes through."""
    bulkhead = Bulkhead(LINK, None, Recorder())
    hold = asyncio.Event()
    calls = [asyncio.create_task(bulkhead.run(hold.wait)) for _ in range(100)]
    await asyncio.sleep(0)
    assert bulkhead.in_flight == 100
    hold.set()
    assert all(await asyncio.gather(*calls))
