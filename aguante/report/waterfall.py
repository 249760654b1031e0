"""A sample trace as rows of a waterfall: spans in the order of a walk from the root, with their bars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aguante.measure.measures import SampleSpan, SampleTrace

SCALE = 1000
"""A bar's place and length are thousandths of the trace's length."""
THINNEST = 3
DEPTH_MAX = 8


@dataclass(frozen=True)
class Bar:
    """One span, placed."""

    span: SampleSpan
    depth: int
    start: float
    length: float
    """At least ``THINNEST``, so that a short span can still be seen."""
    service: int
    """Number of the service, for its colour."""
    culprit: bool
    """It failed, and none of its children did: this is where it broke."""
    marks: tuple[float, ...]
    """Where its events lie."""


@dataclass(frozen=True)
class Waterfall:
    """One trace, ready to be drawn."""

    trace: SampleTrace
    total_ms: float
    """To the end of its last span, which may come after the answer: compensation does not hold the client up."""
    bars: tuple[Bar, ...]

    @property
    def answer_ms(self) -> float:
        """How long the answer took: the first root's length."""
        return self.bars[0].span.duration_ms if self.bars else 0.0

    @property
    def goes_on(self) -> bool:
        """Something went on after the answer."""
        return self.total_ms > self.answer_ms * 1.05


def services_of(traces: Iterable[SampleTrace]) -> tuple[str, ...]:
    """Every service that has a span, in order of first appearance: its place is its colour."""
    return tuple(dict.fromkeys(span.service for trace in traces for span in trace.spans))


def waterfall(trace: SampleTrace, services: Sequence[str]) -> Waterfall:
    """Place every span of the trace; a span whose parent is not there counts as a root."""
    total_ms = max((s.start_ms + s.duration_ms for s in trace.spans), default=0.0)
    scale = SCALE / total_ms if total_ms > 0 else 0.0
    failed_on = {span.parent_id for span in trace.spans if span.error_type}
    bars = tuple(
        Bar(
            span=span,
            depth=min(depth, DEPTH_MAX),
            start=_inside(span.start_ms * scale, SCALE - THINNEST),
            length=max(THINNEST, _inside(span.duration_ms * scale, SCALE)),
            service=services.index(span.service),
            culprit=bool(span.error_type) and span.span_id not in failed_on,
            marks=tuple(_inside(at_ms * scale, SCALE) for at_ms, _ in span.events),
        )
        for depth, span in _walk(trace.spans)
    )
    return Waterfall(trace, total_ms, bars)


def _inside(value: float, most: float) -> float:
    return round(min(max(value, 0.0), most), 1)


def _walk(spans: Sequence[SampleSpan]) -> list[tuple[int, SampleSpan]]:
    """Depth first, earliest child first. A span that a broken trace makes its own ancestor is a root."""
    ids = {span.span_id for span in spans}
    ordered = sorted(spans, key=lambda span: span.start_ms)
    left = {span.span_id for span in spans}
    walked: list[tuple[int, SampleSpan]] = []
    roots = [s for s in ordered if s.parent_id not in ids]
    for root in [*roots, *ordered]:
        todo = [(0, root)]
        while todo:
            depth, span = todo.pop()
            if span.span_id not in left:
                continue
            left.discard(span.span_id)
            walked.append((depth, span))
            children = [s for s in ordered if s.parent_id == span.span_id]
            todo += [(depth + 1, child) for child in reversed(children)]
    return walked
