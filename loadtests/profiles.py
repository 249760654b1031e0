"""The sequences of requests of each profile, from a plan alone."""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from aguante.load_protocol.rates import curve_of
from aguante.load_protocol.records import LoadPlan
from loadtests.arrivals import arrival_times

USERS = 1000
"""The number of distinct ``user_id``s; the unit of load is an arrival, not a user."""


@dataclass(frozen=True)
class Choice:
    """The content of one request, independent of its time."""

    operation: str
    event_id: str
    user_id: str
    quantity: int
    reservation_id: str = ""
    """The reservation to read back, filled in when the request is sent."""


@dataclass(frozen=True)
class Intent:
    """One arrival: its intended start (seconds since t0) and its content."""

    seq: int
    at_s: float
    choice: Choice


def intents(plan: LoadPlan) -> Iterator[Intent]:
    """Yield the arrivals of the plan's worker in order of intended start; the same seed gives the same arrivals.

    Every worker goes through the whole schedule and keeps every n-th arrival, so that all workers together
    play exactly the schedule of one. A closed loop has no times and an endless sequence of choices.
    """
    choices = PROFILES[plan.profile](plan)
    for seq, (at_s, choice) in enumerate(zip(_times(plan), choices, strict=False)):
        if seq % plan.workers == plan.worker:
            yield Intent(seq, at_s, choice)


def _times(plan: LoadPlan) -> Iterator[float]:
    if plan.users:
        return itertools.repeat(0.0)
    curve = curve_of(plan.profile, plan.rate_rps, plan.shape, plan.duration_s)
    return arrival_times(plan.arrivals, curve, plan.seed, plan.shape.racers or 1)


def _mixed(plan: LoadPlan) -> Iterator[Choice]:
    """Draw everything: the operation by its share, event and user uniformly, small orders more often than large."""
    draw = random.Random(f"choices:{plan.seed}")  # noqa: S311 - must be reproducible
    operations, shares = list(plan.mix), list(plan.mix.values())
    while True:
        yield Choice(
            operation=draw.choices(operations, shares)[0],
            event_id=draw.choice(plan.event_ids),
            user_id=f"user-{draw.randrange(USERS)}",
            quantity=draw.choices((1, 2, 3, 4), (4, 3, 2, 1))[0],
        )


def _steady(plan: LoadPlan) -> Iterator[Choice]:
    """Draw nothing: operations in exact proportion, events and users in turn, one seat each."""
    for seq, operation in enumerate(_interleave(plan.mix)):
        yield Choice(
            operation=operation,
            event_id=plan.event_ids[seq % len(plan.event_ids)],
            user_id=f"user-{seq % USERS}",
            quantity=1,
        )


def _interleave(mix: Mapping[str, float]) -> Iterator[str]:
    """Yield operations in exact proportion (largest remainder first), so that even a short run has its mix."""
    given = dict.fromkeys(mix, 0)
    for n in itertools.count(1):
        due = max(mix, key=lambda operation: mix[operation] * n - given[operation])
        given[due] += 1
        yield due


def _race(plan: LoadPlan) -> Iterator[Choice]:
    """All requests of one race order one seat of the same event; the next race uses the next event."""
    racers = plan.shape.racers or 1
    for seq, operation in enumerate(_interleave(plan.mix)):
        yield Choice(
            operation=operation,
            event_id=plan.event_ids[seq // racers % len(plan.event_ids)],
            user_id=f"user-{seq % USERS}",
            quantity=1,
        )


PROFILES: Mapping[str, Callable[[LoadPlan], Iterator[Choice]]] = {
    "mixed": _mixed,
    "steady": _steady,
    "ramp": _steady,
    "step": _steady,
    "spike": _steady,
    "soak": _mixed,
    "race": _race,
}
"""Choices by profile; ``aguante/load_protocol/rates.py`` defines the rate over time. ``soak`` makes the same choices as
``mixed``; its name marks long runs."""
