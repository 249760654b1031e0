import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from services.kit.telemetry.exposition import Exposition

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TRACE = {"trace_id": "ab" * 16}
VALUES = st.floats(min_value=0, allow_nan=False) | st.just(0.0)


class World:
    """One metric of each kind that we have, rendered by ours and by the library."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.counter = Counter("sent", "Sent.", ("to", "how"), registry=self.registry)
        self.gauge = Gauge("open", "Open.", registry=self.registry)
        self.histogram = Histogram(
            "took_seconds", "Took.", ("to",), buckets=(0.1, 1.0, 2.5), registry=self.registry
        )
        self.ours = Exposition(self.registry).render

    def check(self) -> None:
        """Both formats, to the byte."""
        theirs = generate_openmetrics(self.registry)  # type: ignore[no-untyped-call]
        assert self.ours(OPENMETRICS)[0] == theirs
        assert self.ours("text/plain")[0] == generate_latest(self.registry)


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5), VALUES), max_size=6))
def test_it_writes_what_the_library_writes(events: list[tuple[str, str, float]]) -> None:
    """Whatever the labels and values are, also when it has rendered the series before."""
    world = World()
    world.check()
    for to, how, value in events:
        world.counter.labels(to, how).inc(value)
        world.gauge.set(-value)
        world.histogram.labels(to)
        world.check()
        world.histogram.labels(to).observe(value, TRACE)
        world.check()


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [(OPENMETRICS, "application/openmetrics-text"), ("", "text/plain"), ("*/*", "text/plain")],
)
def test_the_content_type_is_that_of_the_format(accept: str, content_type: str) -> None:
    """Prometheus reads by it."""
    assert World().ours(accept)[1].startswith(content_type)
