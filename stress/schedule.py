"""The plan of a storm, drawn from its seed alone: the orders, the toxics and the kills.

Each is an endless sequence with its own random stream, so that the progress of one does not change the others.
A seed does not fix how their effects interleave.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.load_protocol.rates import Shape, curve_of
from loadtests.arrivals import arrival_times
from stress.client import TIMEOUT_S, ReservationRequest

USERS = 500
DECLINED = 0.03
"""Share of orders whose card the bank declines; payments decides by the user's name."""
BIG_EVENTS, SMALL_EVENTS = 4, 2
SMALL_CAPACITY = 5
"""Small enough to sell out early although one order in nineteen asks for one, so that sold_out occurs."""
BIG_CAPACITY = 1_000_000

HELD_BACK = 0.15
"""Share of the toxics that delay a step until after its compensation."""
HELD_BACK_MS = 6_000

AIMED_AT = "reservations"
"""The service whose kills wait for a captured charge whose saga is not yet confirmed."""


@dataclass(frozen=True)
class Order:
    """The behaviour of one customer, from arrival to the last attempt."""

    at_s: float
    """Intended arrival, seconds since the storm began."""
    request: ReservationRequest
    patience_s: float
    """The client's timeout for the first attempt; later attempts get the full timeout."""
    pauses_s: tuple[float, ...]
    """Before each retry with the same key, until there is a final response."""
    duplicate: bool
    """The first attempt is sent twice at once, with one key."""
    reads_event: bool
    reads_back: bool
    """Once acknowledged, read the reservation and send it again with the same key."""


@dataclass(frozen=True)
class PlannedToxic:
    """One toxic on one link."""

    pause_s: float
    hold_s: float
    fault: ToxiproxyFault


@dataclass(frozen=True)
class PlannedKill:
    """One kill of a service."""

    pause_s: float
    service: str
    down_s: float
    """From the kill to the restart."""
    widened_ms: int
    """Latency on reservations' database while the kill waits; it keeps sagas longer between two states."""


def capacities() -> dict[str, int]:
    """The events of a storm and their capacity; the small ones sell out early."""
    big = {f"big-{n}": BIG_CAPACITY for n in range(BIG_EVENTS)}
    return big | {f"small-{n}": SMALL_CAPACITY for n in range(SMALL_EVENTS)}


def orders(seed: int, rate_rps: float) -> Iterator[Order]:
    """An endless sequence of customers in order of arrival; arrivals are independent (Poisson)."""
    draw = _stream("orders", seed)
    events = list(capacities())
    weights = [9 if name.startswith("big") else 1 for name in events]
    curve = curve_of("steady", rate_rps, Shape(), math.inf)
    times = arrival_times("poisson", curve, seed)
    for number, at_s in enumerate(times):
        name = "declined" if draw.random() < DECLINED else "user"
        request = ReservationRequest(
            f"storm-{seed}-{number}",
            f"{name}-{draw.randrange(USERS)}",
            draw.choices(events, weights)[0],
            draw.choices((1, 2, 3, 4), (4, 3, 2, 1))[0],
        )
        yield Order(
            at_s=at_s,
            request=request,
            patience_s=draw.uniform(0.02, 0.4) if draw.random() < 0.05 else TIMEOUT_S,
            pauses_s=tuple(draw.uniform(0.05, 2.0) for _ in range(draw.randrange(4))),
            duplicate=draw.random() < 0.05,
            reads_event=draw.random() < 0.15,
            reads_back=draw.random() < 0.25,
        )


def toxics(seed: int, lane: int, links: Sequence[str]) -> Iterator[PlannedToxic]:
    """An endless sequence of toxics on these links; each lane has a sequence of its own."""
    draw = _stream(f"toxics:{lane}", seed)
    between_services = [link for link in links if not link.endswith("-db")]
    while True:
        pause_s = draw.uniform(1.0, 6.0)
        if draw.random() < HELD_BACK:
            fault = _held_back(draw.choice(between_services))
            yield PlannedToxic(pause_s, hold_s=draw.uniform(3.3, 4.5), fault=fault)
        else:
            yield PlannedToxic(pause_s, hold_s=draw.uniform(0.2, 1.5), fault=_any(draw, links))


def kills(seed: int, services: Sequence[str]) -> Iterator[PlannedKill]:
    """An endless sequence of kills of these services."""
    draw = _stream(f"kills:{','.join(services)}", seed)
    often = tuple(services) == (AIMED_AT,)
    while True:
        yield PlannedKill(
            pause_s=draw.uniform(0.2, 1.5) if often else draw.uniform(4.0, 12.0),
            service=draw.choice(services),
            down_s=draw.uniform(0.0, 0.4) if often else draw.uniform(0.0, 1.0),
            widened_ms=draw.choice((0, 40, 80, 150)) if often else 0,
        )


def _held_back(link: str) -> ToxiproxyFault:
    """Delays requests beyond every step's timeout, so that they arrive after their compensation."""
    attributes = (("latency", HELD_BACK_MS), ("jitter", 0))
    return ToxiproxyFault(link=link, toxic="latency", stream="upstream", attributes=attributes)


def _any(draw: random.Random, links: Sequence[str]) -> ToxiproxyFault:
    toxic = draw.choice(tuple(TOXICS))
    partial = toxic != "down" and draw.random() < 0.3
    return ToxiproxyFault(
        link=draw.choice(links),
        toxic=toxic,
        stream=_direction(draw),
        toxicity=round(draw.uniform(0.3, 0.9), 2) if partial else 1.0,
        attributes=tuple(TOXICS[toxic](draw).items()),
    )


def _latency(draw: random.Random) -> dict[str, int]:
    latency = draw.randrange(50, 1_500)
    return {"latency": latency, "jitter": draw.randrange(latency // 2)}


def _slicer(draw: random.Random) -> dict[str, int]:
    # About 10 to 40 pieces per message, at most 5 ms apart: slow, but it arrives.
    average = draw.randrange(20, 200)
    variation, delay = draw.randrange(average), draw.randrange(100, 5_000)
    return {"average_size": average, "size_variation": variation, "delay": delay}


TOXICS: Mapping[str, Callable[[random.Random], dict[str, int]]] = {
    "latency": _latency,
    "timeout": lambda draw: {"timeout": draw.choice((0, draw.randrange(50, 1_500)))},
    "reset_peer": lambda draw: {"timeout": draw.choice((0, draw.randrange(5, 300)))},
    "down": lambda _: {},
    "bandwidth": lambda draw: {"rate": draw.randrange(1, 20)},
    # From less than the head of a request to about thirty exchanges on a kept-alive connection.
    "limit_data": lambda draw: {"bytes": draw.randrange(50, 20_000)},
    "slicer": _slicer,
}
"""Attributes by toxic, within the bounds of ``aguante.faults.toxiproxy`` (a test checks them)."""


def _direction(draw: random.Random) -> Literal["upstream", "downstream"]:
    return "upstream" if draw.random() < 0.5 else "downstream"


def _stream(name: str, seed: int) -> random.Random:
    return random.Random(f"{name}:{seed}")  # noqa: S311 - must be reproducible
