"""Background work of reservations comes in batches: no backlog is worked off all at once."""

from dataclasses import dataclass, field, replace

import pytest
from saga_harness import Process, World

from services.reservations import compensation
from services.reservations import outbox as outbox_module
from services.reservations.domain import Order, Saga, State
from services.reservations.outbox import BATCH_MAX as NOTICES_MAX
from services.reservations.outbox import SentMarks
from services.reservations.recovery import BATCH_MAX as SAGAS_MAX


def saga(number: int) -> Saga:
    return Saga(f"r-{number}", f"k-{number}", Order("u", "e", 1), State.COMPENSATING)


@dataclass
class Asked:
    """A repository without rows that remembers its calls."""

    limits: list[int] = field(default_factory=list)
    marked: list[list[str]] = field(default_factory=list)

    async def claim_expired(self, limit: int) -> list[Saga]:
        """Remember the limit."""
        self.limits.append(limit)
        return []

    async def mark_sent_inline(self, reservation_ids: list[str]) -> None:
        """Remember the ids."""
        self.marked.append(reservation_ids)

    async def claim_due(self, limit: int) -> list[object]:
        """Remember the limit."""
        self.limits.append(limit)
        return []

    async def mark_delivered(self, reservation_ids: list[str]) -> None:
        """Remember the ids."""
        self.marked.append(reservation_ids)


async def test_recovery_claims_no_more_than_a_batch_and_no_more_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fifty at a time; fewer when compensations are many already; none when they are too many."""
    monkeypatch.setattr(compensation, "TASKS_MAX", SAGAS_MAX + 10)
    process, asked = Process(World()), Asked()
    worker = replace(process.worker, sagas=asked)
    await worker.recover_expired()
    for number in range(SAGAS_MAX):
        process.compensator.start(saga(number))
    await worker.recover_expired()
    for number in range(10):
        process.compensator.start(saga(SAGAS_MAX + number))
    await worker.recover_expired()
    assert asked.limits == [SAGAS_MAX, 10]
    await process.compensator.drain(5)


async def test_the_outbox_sends_a_batch_at_a_time() -> None:
    """However long the outbox is, four notices are under way at once: the bulkhead has slots left for others."""
    asked = Asked()
    await replace(Process(World()).outbox_worker, sagas=asked).deliver_due()
    assert asked.limits == [NOTICES_MAX]
    assert NOTICES_MAX < 8


async def test_marks_beyond_the_limit_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the database away marks wait, as many as the limit; the rest costs a second delivery, and no memory."""
    monkeypatch.setattr(outbox_module, "MARKS_MAX", 3)
    asked = Asked()
    marks = SentMarks(asked)
    for number in range(5):
        marks.add(f"r-{number}")
    await marks.flush()
    assert asked.marked == [["r-0", "r-1", "r-2"]]
    marks.add("r-5")
    await marks.flush()
    assert asked.marked[1:] == [["r-5"]]
