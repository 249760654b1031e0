"""Stores Prometheus's result for each ``promql`` expectation in ``promql.jsonl``, for judging without Prometheus."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from aguante.clients.prometheus_queries import Prometheus, PrometheusError, Series
from aguante.expectations.clauses import Promql
from aguante.plan.plan import Plan

SETTLE_S = 1.5
"""After a window ends: up to a second until its last scrape, and the time to store it."""
NO_PROMETHEUS = "this testbed has no Prometheus; start it with one (`aguante up --with prometheus`) or run natively"
SERIES_MAX = 5
"""Series kept of a query that returns more than one: enough to explain why that is an error."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One line: the result of one query over its window."""

    query: str
    start_s: float
    end_s: float
    """The window, seconds since t0."""
    series: int = 0
    """Number of series returned."""
    labels: tuple[dict[str, str], ...] = ()
    """Labels of the first SERIES_MAX series."""
    points: tuple[tuple[float, float | None], ...] = ()
    """(seconds since t0, value) if there is exactly one series; None: not a number."""
    error: str = ""
    """Why there is no result, or empty."""


class Query(NamedTuple):
    """One query over one window; several expectations may share it."""

    query: str
    start_s: float
    end_s: float


def queries_of(plan: Plan) -> tuple[Query, ...]:
    """Every ``promql`` of a plan, in ``expect`` and in ``abort_when``, each once."""
    clauses = (each.clause for each in (*plan.expect, *plan.abort_when))
    promqls = (each.promql for each in clauses if each.promql is not None)
    return tuple(dict.fromkeys(Query(each.query, *window_of(each, plan)) for each in promqls))


def window_of(promql: Promql, plan: Plan) -> tuple[float, float]:
    """Start and end, seconds since t0."""
    phase = plan.window(promql.phase)
    end_s = phase.end_s if promql.before_s is None else phase.start_s + promql.before_s
    return phase.start_s + promql.after_s, min(end_s, phase.end_s)


def scraped_in_s(queries: Sequence[Query], now_s: float) -> float:
    """Seconds to wait until the last scrape of every window is stored."""
    return max(0.0, *(each.end_s + SETTLE_S - now_s for each in queries)) if queries else 0.0


async def run_queries(
    queries: Sequence[Query], address: str, epoch_s: float
) -> tuple[Recorded, ...]:
    """The result of each query; a failed query is recorded with its error and not raised.

    Args:
        queries: to run.
        address: base URL of Prometheus; empty: there is none.
        epoch_s: wall clock at t0.
    """
    if not address:
        return tuple(Recorded(**each._asdict(), error=NO_PROMETHEUS) for each in queries)
    async with Prometheus(address) as prometheus:
        return tuple([await _recorded(prometheus, each, epoch_s) for each in queries])


async def _recorded(prometheus: Prometheus, query: Query, epoch_s: float) -> Recorded:
    empty = Recorded(**query._asdict())
    try:
        series = await prometheus.over(query.query, epoch_s + query.start_s, epoch_s + query.end_s)
    except PrometheusError as error:
        return msgspec.structs.replace(empty, error=str(error))
    return msgspec.structs.replace(
        empty,
        series=len(series),
        labels=tuple(each.metric for each in itertools.islice(series, SERIES_MAX)),
        points=_points(series[0], epoch_s) if len(series) == 1 else (),
    )


def _points(series: Series, epoch_s: float) -> tuple[tuple[float, float | None], ...]:
    pairs = ((round(at_s - epoch_s, 3), float(value)) for at_s, value in series.values)
    return tuple((at_s, value if math.isfinite(value) else None) for at_s, value in pairs)


def write_promql(path: Path, recorded: Sequence[Recorded]) -> None:
    """Write one line per result; writes no file if there is none.

    Raises:
        OSError: it cannot be written.
    """
    if recorded:
        path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in recorded))


def read_promql(path: Path) -> tuple[Recorded, ...]:
    """Read the results; none if there is no file.

    Raises:
        msgspec.MsgspecError: a line is not a result.
        OSError: the file cannot be read.
    """
    if not path.exists():
        return ()
    decoder = msgspec.json.Decoder(Recorded)
    return tuple(decoder.decode(line) for line in path.read_bytes().splitlines())
