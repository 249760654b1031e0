"""What the charts draw, as plain geometry in seconds and requests. Pure; knows no chart library."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aguante.expectations.breaker import BreakerTransition
from aguante.faults.planned_fault import PlannedFault
from aguante.measure.measures import FaultMeasure, Measures, SecondCauses
from aguante.plan.plan import Plan
from aguante.report.palette import CauseStyle


@dataclass(frozen=True)
class Block:
    """One cause in one second: a rectangle of the stack."""

    key: str
    from_s: float
    to_s: float
    bottom: int
    top: int


@dataclass(frozen=True)
class Spot:
    """Where a cause can be named inside the stack: centre of a run of seconds where it is high enough."""

    key: str
    text: str
    at_s: float
    width_s: float
    middle: float


@dataclass(frozen=True)
class FaultBand:
    """A fault's window on the axis; ``lane`` keeps the names of overlapping faults apart."""

    from_s: float
    to_s: float
    names: tuple[str, ...]
    """Longest first; the chart takes the first one that fits."""
    lane: int


@dataclass(frozen=True)
class StateSpan:
    """How long one breaker was in one state."""

    breaker: str
    state: str
    from_s: float
    to_s: float


def counts_of(second: SecondCauses, styles: Sequence[CauseStyle]) -> tuple[int, ...]:
    """Requests of one second by style, in the styles' order."""
    return tuple(
        sum(
            cause.requests
            for cause in second.causes
            if (cause.status, cause.mechanism) == (style.status, style.mechanism)
        )
        for style in styles
    )


def stack(seconds: Sequence[SecondCauses], styles: Sequence[CauseStyle]) -> tuple[Block, ...]:
    """The stacked rectangles, empty ones left out."""
    blocks = []
    for second in seconds:
        bottom = 0
        for style, number in zip(styles, counts_of(second, styles), strict=True):
            if number:
                blocks.append(
                    Block(style.key, second.second, second.second + 1, bottom, bottom + number)
                )
            bottom += number
    return tuple(blocks)


def spots(
    blocks: Sequence[Block], styles: Sequence[CauseStyle], height_min: float
) -> tuple[Spot, ...]:
    """For each cause the largest rectangle inside its own blocks that is at least ``height_min`` high."""
    found = []
    for style in styles:
        own = [block for block in blocks if block.key == style.key]
        best = max(_rectangles(own, height_min), key=_area, default=None)
        if best:
            middle_s, middle = (best.from_s + best.to_s) / 2, (best.bottom + best.top) / 2
            found.append(Spot(style.key, style.label, middle_s, best.to_s - best.from_s, middle))
    return tuple(found)


def _rectangles(blocks: Sequence[Block], height_min: float) -> Iterator[Block]:
    """From each block on: how far neighbours reach with a common strip at least ``height_min`` high."""
    for number, first in enumerate(blocks):
        low, high, to_s = first.bottom, first.top, first.from_s
        for block in blocks[number:]:
            low, high = max(low, block.bottom), min(high, block.top)
            if block.from_s != to_s or high - low < height_min:
                break
            to_s = block.to_s
            yield Block(first.key, first.from_s, to_s, low, high)


def _area(block: Block) -> float:
    return (block.to_s - block.from_s) * (block.top - block.bottom)


def fault_bands(plan: Plan, faults: Sequence[FaultMeasure]) -> tuple[FaultBand, ...]:
    """Each fault's window as it was; as it was planned where it never came to be."""
    actual = {fault.id: fault for fault in faults}
    bands: list[FaultBand] = []
    for planned in sorted(plan.faults, key=lambda fault: fault.start_s):
        start_s, end_s = _window(planned, actual.get(planned.id))
        busy = {band.lane for band in bands if band.to_s > start_s}
        lane = next(n for n in range(len(bands) + 1) if n not in busy)
        bands.append(FaultBand(start_s, end_s, fault_names(planned), lane))
    return tuple(bands)


def _window(planned: PlannedFault, measured: FaultMeasure | None) -> tuple[float, float]:
    start_s = measured.actual_start_s if measured else None
    end_s = measured.actual_end_s if measured else None
    return (
        planned.start_s if start_s is None else start_s,
        planned.end_s if end_s is None else end_s,
    )


def fault_names(planned: PlannedFault) -> tuple[str, ...]:
    """``slow: latency 3500 ms, jitter 200 ms on reservations-payments``, then shorter ones."""
    return (*(f"{planned.id}: {label}" for label in planned.fault.labels()), planned.id)


def breaker_states(transitions: Sequence[BreakerTransition], end_s: float) -> tuple[StateSpan, ...]:
    """Every breaker's states from 0 to ``end_s``, from its transitions."""
    spans = []
    for name in sorted({breaker_name(t) for t in transitions}):
        own = sorted((t for t in transitions if breaker_name(t) == name), key=lambda t: t.at_s)
        since_s, state = 0.0, own[0].from_state
        for change in own:
            spans.append(StateSpan(name, state, since_s, change.at_s))
            since_s, state = change.at_s, change.to_state
        spans.append(StateSpan(name, state, since_s, max(end_s, since_s)))
    return tuple(span for span in spans if span.to_s > span.from_s)


def breaker_name(transition: BreakerTransition) -> str:
    """The link, with the instance that guards it."""
    return f"{transition.link} ({transition.instance or transition.service})"


def end_of(plan: Plan, measures: Measures) -> float:
    """Where the time axis ends: with the plan, or with the last second that was measured."""
    return max([plan.end_s, *(float(s.second + 1) for s in measures.seconds)])


def pairs_of(measures: Measures) -> set[tuple[int, str]]:
    """Every (status, mechanism) that occurs."""
    causes = [c for second in measures.seconds for c in second.causes]
    causes += [c for phase in measures.phases for c in phase.causes]
    return {(c.status, c.mechanism) for c in causes}
