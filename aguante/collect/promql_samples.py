"""``promql.jsonl``: what Prometheus gave for each ``promql`` expectation, so that a run can be judged without it."""

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
"""A window's last scrape is a second away at most, and then it must be stored."""
NO_PROMETHEUS = "this testbed has no Prometheus: start it with one (`aguante up --with prometheus`), or play natively"
SERIES_MAX = 5
"""So many are kept of a query that gives more than one: enough to say why that is no answer."""


class Query(NamedTuple):
    """One question to Prometheus: the same for all expectations that ask it of the same window."""

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
    """How long to wait, seconds, until the last window's last scrape is stored."""
    return max(0.0, *(each.end_s + SETTLE_S - now_s for each in queries)) if queries else 0.0


async def ask_all(
    queries: Sequence[Query], address: str, epoch_s: float
) -> tuple[PromqlResult, ...]:
    """What Prometheus gives for each; a question without an answer says why. Never raises for that.

    Args:
        queries: what is asked.
        address: of Prometheus; empty: there is none.
        epoch_s: the wall clock at t0.
    """
    if not address:
        return tuple(PromqlResult(**each._asdict(), error=NO_PROMETHEUS) for each in queries)
    async with Prometheus(address) as prometheus:
        return tuple([await _recorded(prometheus, each, epoch_s) for each in queries])


async def _recorded(prometheus: Prometheus, asked: Query, epoch_s: float) -> PromqlResult:
    nothing = PromqlResult(**asked._asdict())
    try:
        series = await prometheus.over(asked.query, epoch_s + asked.start_s, epoch_s + asked.end_s)
    except PrometheusError as error:
        return msgspec.structs.replace(nothing, error=str(error))
    return msgspec.structs.replace(
        nothing,
        series=len(series),
        labels=tuple(each.metric for each in itertools.islice(series, SERIES_MAX)),
        points=_points(series[0], epoch_s) if len(series) == 1 else (),
    )


def _points(series: Series, epoch_s: float) -> tuple[tuple[float, float | None], ...]:
    pairs = ((round(at_s - epoch_s, 3), float(value)) for at_s, value in series.values)
    return tuple((at_s, value if math.isfinite(value) else None) for at_s, value in pairs)


def write_promql(path: Path, recorded: Sequence[PromqlResult]) -> None:
    """Write one line for each; no file for none.

    Raises:
        OSError: it cannot be written.
    """
    if recorded:
        path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in recorded))


def read_promql(path: Path) -> tuple[PromqlResult, ...]:
    """Read the lines back; none where there is no file.

    Raises:
        msgspec.MsgspecError: a line is none of ours.
        OSError: the file cannot be read.
    """
    if not path.exists():
        return ()
    decoder = msgspec.json.Decoder(PromqlResult)
    return tuple(decoder.decode(line) for line in path.read_bytes().splitlines())
