"""The geometry of the charts, in seconds and requests. Pure, independent of the chart library."""

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
    """The place for the name of a cause inside the stack: the centre of a large enough rectangle."""

    key: str
    text: str
    at_s: float
    width_s: float
    middle: float


@dataclass(frozen=True)
class FaultBand:
    """The window of a fault on the time axis; ``lane`` separates the names of overlapping faults."""

    from_s: float
    to_s: float
    names: tuple[str, ...]
    """Longest first; the chart uses the first that fits."""
    lane: int


@dataclass(frozen=True)
class StateSpan:
    """A period during which a breaker was in one state."""

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
    """The stacked rectangles, without empty ones."""
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
    """For each cause, the largest rectangle inside its blocks that is at least ``height_min`` high."""
    found = []
    for style in styles:
        own = [block for block in blocks if block.key == style.key]
        best = max(_rectangles(own, height_min), key=_area, default=None)
        if best:
            middle_s, middle = (best.from_s + best.to_s) / 2, (best.bottom + best.top) / 2
            found.append(Spot(style.key, style.label, middle_s, best.to_s - best.from_s, middle))
    return tuple(found)


def _rectangles(blocks: Sequence[Block], height_min: float) -> Iterator[Block]:
    """All rectangles at least ``height_min`` high across adjacent blocks, by their first block."""
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
    """The actual window of each fault; the planned one if the fault was never injected."""
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
    """The link, with the instance that owns the breaker."""
    return f"{transition.link} ({transition.instance or transition.service})"


def end_of(plan: Plan, measures: Measures) -> float:
    """The end of the time axis: that of the plan, or of the last measured second."""
    return max([plan.end_s, *(float(s.second + 1) for s in measures.seconds)])


def pairs_of(measures: Measures) -> set[tuple[int, str]]:
    """Every (status, mechanism) that occurs."""
    causes = [c for second in measures.seconds for c in second.causes]
    causes += [c for phase in measures.phases for c in phase.causes]
    return {(c.status, c.mechanism) for c in causes}
