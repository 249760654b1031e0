"""Stores Prometheus's result for each ``promql`` expectation in ``promql.jsonl``, for judging without Prometheus."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from aguante.clients.prometheus_queries import Prometheus, PrometheusError, Series
from aguante.expectations.evidence import PromqlResult
from aguante.expectations.promql import Promql
from aguante.plan.plan import Plan

SETTLE_S = 1.5
"""After a window ends: up to a second until its last scrape, and the time to store it."""
NO_PROMETHEUS = "this testbed has no Prometheus; start it with one (`aguante up --with prometheus`) or run natively"
SERIES_MAX = 5
"""Series kept of a query that returns more than one: enough to explain why that is an error."""


class Query(NamedTuple):
    """One query over one window; several expectations may share it."""

    query: str
    start_s: float
    end_s: float


def queries_of(plan: Plan) -> tuple[Query, ...]:
    """Every ``promql`` of a plan, in ``expect`` and in ``abort_when``, each once."""
    asked = (each.asked for each in (*plan.expect, *plan.abort_when))
    windows = {window.phase: (window.start_s, window.end_s) for window in plan.phases}
    return tuple(
        dict.fromkeys(
            Query(each.query, *each.part_of(windows[each.phase]))
            for each in asked
            if isinstance(each, Promql)
        )
    )


def scraped_in_s(queries: Sequence[Query], now_s: float) -> float:
    """Seconds to wait until the last scrape of every window is stored."""
    return max(0.0, *(each.end_s + SETTLE_S - now_s for each in queries)) if queries else 0.0


async def run_queries(
    queries: Sequence[Query], address: str, epoch_s: float
) -> tuple[PromqlResult, ...]:
    """The result of each query; a failed query is recorded with its error and not raised.

    Args:
        queries: to run.
        address: base URL of Prometheus; empty: there is none.
        epoch_s: wall clock at t0.
    """
    if not address:
        return tuple(PromqlResult(**each._asdict(), error=NO_PROMETHEUS) for each in queries)
    async with Prometheus(address) as prometheus:
        return tuple([await _recorded(prometheus, each, epoch_s) for each in queries])


async def _recorded(prometheus: Prometheus, query: Query, epoch_s: float) -> PromqlResult:
    empty = PromqlResult(**query._asdict())
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


def write_promql(path: Path, recorded: Sequence[PromqlResult]) -> None:
    """Write one line per result; writes no file if there is none.

    Raises:
        OSError: it cannot be written.
    """
    if recorded:
        path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in recorded))


def read_promql(path: Path) -> tuple[PromqlResult, ...]:
    """Read the results; none if there is no file.

    Raises:
        msgspec.MsgspecError: a line is not a result.
        OSError: the file cannot be read.
    """
    if not path.exists():
        return ()
    decoder = msgspec.json.Decoder(PromqlResult)
    return tuple(decoder.decode(line) for line in path.read_bytes().splitlines())
