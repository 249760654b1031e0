"""Measures one level of a saturation sweep from its ledger."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import duckdb

from aguante.expectations.percentiles import percentile
from aguante.load_protocol.records import LoadSummary
from aguante.measure.audit.ledger import load_ledger
from aguante.measure.saturation_levels import Level
from aguante.run_folder.run_log import EvidenceError

K = TypeVar("K", int, str)
_WINDOW = "FROM client.requests WHERE intended_s >= $from_s AND intended_s < $to_s"
_COUNTS = f"SELECT status, mechanism, count(*) {_WINDOW} GROUP BY ALL"
_LISTS = f"""
    SELECT coalesce(list(latency_ms ORDER BY latency_ms) FILTER (status = 200), []),
           quantile_disc(greatest(0, started_s - intended_s) * 1000, 0.99)
    {_WINDOW}
"""


def measure_level(
    records: Path, summary: LoadSummary, target_rps: float, from_s: float, to_s: float
) -> Level:
    """Measure the window ``[from_s, to_s)`` of a ledger; shed requests count as offered.

    The p99 of the generator's lateness is a census, so it is given for any number of requests.

    Raises:
        EvidenceError: the ledger cannot be read.
    """
    window = {"from_s": from_s, "to_s": to_s}
    try:
        with duckdb.connect() as connection:
            load_ledger(connection, records)
            counts = connection.execute(_COUNTS, window).fetchall()
            ordered, late_ms = connection.execute(_LISTS, window).fetchall()[0]
    except (duckdb.Error, OSError) as error:
        message = f"{records}: the ledger cannot be read: {error}"
        raise EvidenceError(message) from error
    seen = sum(count for _, _, count in counts)
    # Shed and missing requests have no record, so the window gets the whole level's share of them.
    recorded = summary.completed / summary.offered if summary.offered else 1.0
    offered = seen / recorded if recorded else 0.0
    good = sum(count for status, _, count in counts if status == 200)
    return Level(
        target_rps=target_rps,
        offered_rps=offered / (to_s - from_s),
        achieved_rps=seen / (to_s - from_s),
        goodput_rps=good / (to_s - from_s),
        statuses=tuple(sorted(_shares((row[0], row[2]) for row in counts))),
        mechanisms=_largest_first(_shares((row[1], row[2]) for row in counts)),
        p50_ms=percentile(ordered, 0.50).value_ms,
        p95_ms=percentile(ordered, 0.95).value_ms,
        late_p99_ms=late_ms,
    )


def _shares(counts: Iterable[tuple[K, int]]) -> list[tuple[K, float]]:
    total: Counter[K] = Counter()
    for key, count in counts:
        total[key] += count
    return [(key, round(count / total.total(), 6)) for key, count in total.items()]


def _largest_first(shares: list[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    named = [(name, share) for name, share in shares if name]
    return tuple(sorted(named, key=lambda each: (-each[1], each[0])))
