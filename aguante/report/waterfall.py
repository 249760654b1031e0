"""A sample trace as a waterfall: its spans, depth first from the root, with their bars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aguante.measure.measures import SampleSpan, SampleTrace

SCALE = 1000
"""Position and length of a bar are in thousandths of the length of the trace."""
THINNEST = 3
DEPTH_MAX = 8


@dataclass(frozen=True)
class Bar:
    """A span with its position in the waterfall."""

    span: SampleSpan
    depth: int
    start: float
    length: float
    """At least ``THINNEST``, so that a short span stays visible."""
    service: int
    """Index of the service, for its colour."""
    culprit: bool
    """Whether it failed while none of its children did: here the failure began."""
    marks: tuple[float, ...]
    """Positions of its events."""


@dataclass(frozen=True)
class Waterfall:
    """One trace, ready to be drawn."""

    trace: SampleTrace
    total_ms: float
    """Until the end of the last span, which may be after the response: compensation continues in the background."""
    bars: tuple[Bar, ...]

    @property
    def answer_ms(self) -> float:
        """Time until the response: the duration of the first root span."""
        return self.bars[0].span.duration_ms if self.bars else 0.0

    @property
    def goes_on(self) -> bool:
        """Whether work continued after the response."""
        return self.total_ms > self.answer_ms * 1.05


def services_of(traces: Iterable[SampleTrace]) -> tuple[str, ...]:
    """Every service with a span, in order of first appearance; the index determines its colour."""
    return tuple(dict.fromkeys(span.service for trace in traces for span in trace.spans))


def waterfall(trace: SampleTrace, services: Sequence[str]) -> Waterfall:
    """Place every span of the trace; a span whose parent is missing counts as a root."""
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
    """Depth first, earliest child first. In a broken trace, a span that is its own ancestor becomes a root."""
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
