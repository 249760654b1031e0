"""What happened between two readings, as one value. Pure."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from pydantic import computed_field

from aguante.cli.render.live.read_testbed import Reading, Series
from aguante.clients.toxiproxy_client import ProxyState
from aguante.core.values import Value
from aguante.testbed import metric_names as signals

STATE_ORDER = ("open", "half_open", "closed")


class Responses(Value):
    """Responses with one status and mechanism."""

    status: int
    mechanism: str
    per_s: float
    p50_s: float | None
    p95_s: float | None


class Link(Value):
    """One link, from the metrics of its caller."""

    link: str
    breaker: str
    """``closed``, ``open`` or ``half_open``, the worst of several callers; empty without a breaker."""
    attempts_per_s: float
    failed_per_s: float
    retries_per_s: float
    refused_per_s: float
    """Calls that a breaker, bulkhead or deadline rejected before they were sent."""
    p95_s: float | None


class Picture(Value):
    """A testbed during the time between two readings."""

    testbed: str
    at: str
    """ISO 8601, UTC."""
    over_s: float
    answers: tuple[Responses, ...]
    """Responses of the service that clients call, most frequent first."""
    in_flight: dict[str, int]
    links: tuple[Link, ...]
    spans_dropped_per_s: float
    faults: tuple[str, ...]
    """The faults that are active in Toxiproxy now."""
    silent: dict[str, str]
    """Instance, or ``toxiproxy`` -> why it could not be read."""

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def goodput_per_s(self) -> float:
        """200 responses per second."""
        return round(sum(each.per_s for each in self.answers if each.status == 200), 3)

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def total_per_s(self) -> float:
        """All responses per second."""
        return round(sum(each.per_s for each in self.answers), 3)


def draw_up(testbed: str, entry: str, at: str, before: Reading, after: Reading) -> Picture:
    """Build the picture.

    Args:
        testbed: its id.
        entry: the service that clients call.
        at: when ``after`` was read.
        before: the earlier reading.
        after: the later one.
    """
    over_s = max(after.at_s - before.at_s, 1e-3)
    grown = growth(before, after)
    silent = dict(after.silent)
    if after.toxiproxy:
        silent["toxiproxy"] = after.toxiproxy
    dropped = sum(v for s, v in grown.items() if s.name == signals.SPANS_DROPPED)
    return Picture(
        testbed=testbed,
        at=at,
        over_s=round(over_s, 3),
        answers=_responses(
            *(grown, after.values),
            {i for i, name in after.instances.items() if name == entry},
            over_s,
        ),
        in_flight={
            series.instance: round(value)
            for series, value in sorted(after.values.items(), key=lambda each: each[0].instance)
            if series.name == signals.ACTIVE_REQUESTS
        },
        links=_links(grown, after.values, over_s),
        spans_dropped_per_s=round(dropped / over_s, 3),
        faults=tuple(fault for proxy in after.proxies for fault in _faults_of(proxy)),
        silent=silent,
    )


def growth(before: Reading, after: Reading) -> dict[Series, float]:
    """The increase of each series.

    A new series of a known instance started at 0. A series that decreased belongs to a restarted process. Instances
    that the earlier reading lacks are left out, since their increase is unknown.
    """
    grown = {}
    for series, value in after.values.items():
        if series.instance in before.instances:
            delta = value - before.values.get(series, 0.0)
            grown[series] = delta if delta >= 0 else value
    return grown


def quantile(q: float, buckets: Mapping[float, float]) -> float | None:
    """A quantile in seconds from cumulative counts by upper bound, interpolated linearly as PromQL does.

    None without any count. Above the last finite bound, the result is that bound.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0:
        return None
    rank = q * total
    for low, high in pairwise([0.0, *bounds]):
        counted = buckets[high]
        if counted >= rank and counted > 0:
            below = buckets.get(low, 0.0)
            if math.isinf(high):
                return low
            return low + (high - low) * (rank - below) / (counted - below)
    return None


def _responses(
    grown: Mapping[Series, float], now: Mapping[Series, float], entries: set[str], over_s: float
) -> tuple[Responses, ...]:
    """Every kind of response that has ever occurred, and 200 in any case."""
    buckets = _histograms(grown, signals.SERVER_DURATION, entries, _kind_of)
    ever = _histograms(now, signals.SERVER_DURATION, entries, _kind_of)
    answers = [
        Responses(
            status=int(status) if status.isdigit() else 0,
            mechanism=mechanism,
            per_s=round(_count(found) / over_s, 3),
            p50_s=quantile(0.5, found),
            p95_s=quantile(0.95, found),
        )
        for (status, mechanism), found in buckets.items()
        if status == "200" or _count(ever[status, mechanism]) > 0
    ]
    return tuple(sorted(answers, key=lambda each: (-each.per_s, each.status, each.mechanism)))


def _kind_of(series: Series) -> tuple[str, str]:
    return series.label("http_response_status_code"), series.label("error_type")


def _links(
    grown: Mapping[Series, float], now: Mapping[Series, float], over_s: float
) -> tuple[Link, ...]:
    buckets = _histograms(grown, signals.CLIENT_DURATION, None, lambda s: (s.label("link"), ""))
    failed = _by_link(
        grown, f"{signals.CLIENT_DURATION}_count", lambda s: bool(s.label("error_type"))
    )
    retries = _by_link(grown, signals.RETRIES)
    refused = _by_link(grown, signals.CALLS_REJECTED)
    return tuple(
        Link(
            link=link,
            breaker=_breaker(link, now),
            attempts_per_s=round(_count(found) / over_s, 3),
            failed_per_s=round(failed[link] / over_s, 3),
            retries_per_s=round(retries[link] / over_s, 3),
            refused_per_s=round(refused[link] / over_s, 3),
            p95_s=quantile(0.95, found),
        )
        for (link, _), found in sorted(buckets.items())
    )


def _breaker(link: str, now: Mapping[Series, float]) -> str:
    on = {
        series.label("state")
        for series, value in now.items()
        if series.name == signals.BREAKER_STATE and series.label("link") == link and value == 1
    }
    return next((state for state in STATE_ORDER if state in on), "")


def _by_link(
    grown: Mapping[Series, float], name: str, wanted: Callable[[Series], bool] = lambda _: True
) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for series, value in grown.items():
        if series.name == name and wanted(series):
            sums[series.label("link")] += value
    return sums


def _histograms(
    grown: Mapping[Series, float],
    name: str,
    instances: set[str] | None,
    key: Callable[[Series], tuple[str, str]],
) -> dict[tuple[str, str], dict[float, float]]:
    """Cumulative counts by upper bound, summed over all series with the same key."""
    found: dict[tuple[str, str], dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for series, value in grown.items():
        if series.name == f"{name}_bucket" and (instances is None or series.instance in instances):
            found[key(series)][float(series.label("le"))] += value
    return found


def _count(buckets: Mapping[float, float]) -> float:
    return buckets.get(math.inf, 0.0)


def _faults_of(proxy: ProxyState) -> Iterable[str]:
    if not proxy.enabled:
        yield f"{proxy.name}: down"
    for toxic in proxy.toxics:
        values = ", ".join(f"{name} {value}" for name, value in toxic.attributes.items())
        share = f" on {toxic.toxicity:.0%} of connections" if toxic.toxicity < 1 else ""
        yield f"{proxy.name}: {toxic.type} {values} ({toxic.stream}){share}"


def trend(values: Sequence[float]) -> str:
    """A sparkline: one bar per value, scaled to the highest."""
    bars = " ▁▂▃▄▅▆▇█"
    top = max(values, default=0.0)
    return "".join(bars[math.ceil(8 * value / top)] if top > 0 else bars[0] for value in values)
