"""Seats, as pure decisions: standard library only, no clock, network or database."""

from dataclasses import dataclass
from enum import StrEnum

CAPACITY_MAX = 10_000_000


class AllocationState(StrEnum):
    """The names are those of `allocations.state`."""

    ALLOCATED = "ALLOCATED"
    RELEASED = "RELEASED"
    VOIDED = "VOIDED"
    """A tombstone: the release came first, so the reserve that it belongs to must do nothing."""


@dataclass(frozen=True, slots=True)
class Event:
    """Seats on sale; capacity = available + allocated, always."""

    event_id: str
    capacity: int
    available: int

    @property
    def allocated(self) -> int:
        """How many seats reservations hold."""
        return self.capacity - self.available


@dataclass(frozen=True, slots=True)
class Allocation:
    """The seats that one reservation holds, held, or must never hold."""

    reservation_id: str
    event_id: str | None
    quantity: int
    state: AllocationState


class Verdict(StrEnum):
    """The outcome of a request to reserve, release or resize."""

    DONE = "done"
    REPEATED = "repeated"
    SOLD_OUT = "sold_out"
    VOIDED = "voided"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict, and when it is DONE the number of available seats to write."""

    verdict: Verdict
    available: int = 0


def decide_reserve(
    event: Event | None, held: Allocation | None, event_id: str, quantity: int
) -> Change:
    """Decide on `quantity` seats of `event` for a reservation that already has `held`, or nothing.

    Idempotent by reservation: the same request again is REPEATED; another event or quantity
    under the same id is a CONFLICT; after a release it is VOIDED, however late it arrives.
    """
    if event is None:
        return Change(Verdict.NOT_FOUND)
    if held is not None and held.state is not AllocationState.ALLOCATED:
        return Change(Verdict.VOIDED)
    if held is not None:
        same = (held.event_id, held.quantity) == (event_id, quantity)
        return Change(Verdict.REPEATED if same else Verdict.CONFLICT)
    if event.available < quantity:
        return Change(Verdict.SOLD_OUT)
    return Change(Verdict.DONE, event.available - quantity)


def decide_release(held: Allocation, event: Event) -> Change:
    """Decide on giving back what a reservation holds; anything but held seats is REPEATED.

    A reservation without a row never gets here: the repository leaves a tombstone for it.
    """
    if held.state is AllocationState.ALLOCATED:
        return Change(Verdict.DONE, event.available + held.quantity)
    return Change(Verdict.REPEATED)


def decide_capacity(allocated: int, capacity: int) -> Change:
    """Decide on a new `capacity` while `allocated` seats are held; fewer is a CONFLICT."""
    if capacity < allocated:
        return Change(Verdict.CONFLICT)
    return Change(Verdict.DONE, capacity - allocated)
