import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import (
    Allocation,
    AllocationState,
    Event,
    Verdict,
    decide_capacity,
    decide_release,
    decide_reserve,
)


def event(available: int = 5, capacity: int = 10) -> Event:
    return Event("e", capacity, available)


def held(state: AllocationState, quantity: int = 2) -> Allocation:
    return Allocation("r", "e", quantity, state)


def test_reserve_takes_the_seats_that_are_there() -> None:
    """Reserving writes what is left."""
    change = decide_reserve(event(available=5), None, "e", 5)
    assert (change.verdict, change.available) == (Verdict.DONE, 0)


def test_reserve_of_one_seat_too_many_is_sold_out() -> None:
    """A reservation is never filled in part."""
    assert decide_reserve(event(available=4), None, "e", 5).verdict is Verdict.SOLD_OUT


def test_reserve_of_an_unknown_event_is_not_found() -> None:
    """There is nothing to reserve where there is no event."""
    assert decide_reserve(None, None, "e", 1).verdict is Verdict.NOT_FOUND


def test_reserve_twice_takes_seats_once() -> None:
    """The same reservation again is a repeat, even when nothing is left for anybody else."""
    change = decide_reserve(event(available=0), held(AllocationState.ALLOCATED), "e", 2)
    assert change.verdict is Verdict.REPEATED


@pytest.mark.parametrize(("event_id", "quantity"), [("e", 3), ("other", 2)])
def test_reserve_of_something_else_under_the_same_id_is_a_conflict(
    event_id: str, quantity: int
) -> None:
    """One reservation id means one event and one quantity."""
    change = decide_reserve(event(), held(AllocationState.ALLOCATED), event_id, quantity)
    assert change.verdict is Verdict.CONFLICT


@pytest.mark.parametrize("state", [AllocationState.RELEASED, AllocationState.VOIDED])
def test_reserve_after_its_release_is_voided(state: AllocationState) -> None:
    """A late reserve does nothing, however many seats are free."""
    assert decide_reserve(event(), held(state), "e", 2).verdict is Verdict.VOIDED


def test_release_gives_back_what_is_held() -> None:
    """Releasing writes what is available with the seats given back."""
    change = decide_release(held(AllocationState.ALLOCATED, 2), event(available=5))
    assert (change.verdict, change.available) == (Verdict.DONE, 7)


@pytest.mark.parametrize("state", [AllocationState.RELEASED, AllocationState.VOIDED])
def test_release_twice_gives_back_once(state: AllocationState) -> None:
    """A second release changes nothing."""
    assert decide_release(held(state), event()).verdict is Verdict.REPEATED


def test_capacity_below_what_is_held_is_refused() -> None:
    """Seats that reservations hold cannot be taken away."""
    assert decide_capacity(allocated=5, capacity=4).verdict is Verdict.CONFLICT


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 100))
def test_reserve_and_release_cancel_out(capacity: int, allocated: int, quantity: int) -> None:
    """Seats add up before, between and after, whatever the numbers."""
    change = decide_capacity(min(allocated, capacity), capacity)
    start = Event("e", capacity, change.available)
    taken = decide_reserve(start, None, "e", quantity)
    if taken.verdict is Verdict.SOLD_OUT:
        assert start.available < quantity
        return
    between = Event("e", capacity, taken.available)
    assert between.available >= 0
    assert between.allocated == start.allocated + quantity
    back = decide_release(Allocation("r", "e", quantity, AllocationState.ALLOCATED), between)
    assert back.available == start.available
