"""The PromQL of the dashboards, over the metric names of ``services/kit/telemetry/metrics.py``.

All dashboards share three rules:

* A **rate** is the difference of a counter over the window, divided by the window. PromQL's ``rate()`` needs two
  samples of a series and misses everything before the first one: the first burst of each failure that
  ``services/kit/telemetry/expected.py`` does not list. A counter that decreased was restarted, and counts from 0.
* A **run** is a time range: services know nothing of runs, so the runner publishes a metric while one is active.
  ``All`` also matches ``up``, which always exists. Every query that is not ``always`` is restricted to the selected
  run (``panels.Query``).
* **Zero series are hidden.** Counters of a dozen mechanisms per link start at 0: panels by mechanism show only the
  series above 0, and a series ``none`` while there is no such series.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.kit.telemetry import metrics

PHASE = "aguante_phase"
"""1 for the current phase of a run, by ``run_id``, ``experiment``, ``phase``; published by the runner."""
FAULT_ACTIVE = "aguante_fault_active"
"""1 while a fault is active, by ``run_id``, ``experiment``, ``fault``, ``link`` or ``service``, ``kind``; likewise."""
TOXIPROXY_RECEIVED = "toxiproxy_proxy_received_bytes_total"
"""Toxiproxy's own counter, by ``proxy`` and ``direction``; it is updated only when a connection closes."""

WINDOW = "$__rate_interval"
WINDOW_S = "($__rate_interval_ms / 1000)"
ANSWERS = f"{metrics.SERVER_DURATION}_count"
ATTEMPTS = f"{metrics.CLIENT_DURATION}_count"
STATEMENTS = f"{metrics.STATEMENT_DURATION}_count"
GATEWAY = 'service="gateway"'
CHOSEN = 'service=~"$service"'
OF_RUN = 'run_id=~"$run",experiment=~"$experiment"'
ANSWER = ("http_response_status_code", "error_type")


def grown(counter: str, where: str = "", window: str = WINDOW) -> str:
    """The increase of each series of a counter over ``window``.

    A new series counts in full if its target was already scraped before. Otherwise everything that a service had
    counted before the first scrape would appear as one burst.
    """
    series = f"{counter}{{{where}}}" if where else counter
    new = f"({series} and on(job, instance) up offset {window})"
    return f"(({series} - {series} offset {window} >= 0) or {new})"


def per_second(counter: str, by: Sequence[str] = (), where: str = "") -> str:
    """Events per second, summed by labels; by mechanism only series above 0."""
    rate = f"{_sum(by)} ({grown(counter, where)}) / {WINDOW_S}"
    if "error_type" not in by:
        return rate
    labels, series = ", ".join(by), f"{counter}{{{where}}}" if where else counter
    return f"({rate}) and on({labels}) ({_sum(by)} ({series}) > 0)"


def _sum(by: Sequence[str]) -> str:
    return f"sum by ({', '.join(by)})" if by else "sum"


def quantile(q: float, histogram: str, by: Sequence[str] = (), where: str = "") -> str:
    """A quantile in seconds, interpolated within a bucket (every timeout is a bucket's edge); empty without events."""
    labels = ", ".join(("le", *by))
    buckets = f"{histogram}_bucket{{{where}}}" if where else f"{histogram}_bucket"
    rates = f"sum by ({labels}) (rate({buckets}[{WINDOW}]))"
    return f"histogram_quantile({q}, {rates}) >= 0"


def share(part: str, whole: str) -> str:
    """``part`` divided by ``whole``, 0 to 1; 0 without events."""
    return f"({part}) / (({whole}) > 0) or on() vector(0)"


def in_run(expression: str) -> str:
    """Restrict to the time of the selected run; no restriction when all are selected."""
    return f'({expression}) and on() max({{__name__=~"{PHASE}|up",{OF_RUN}}} == 1)'


def or_none(expression: str, label: str) -> str:
    """The series, or a 0 with ``label`` set to ``none``."""
    return f'({expression}) or on() label_replace(vector(0), "{label}", "none", "", "")'


def by_phase(counter: str, by: Sequence[str], where: str, phase: str = ".*") -> str:
    """Events per second in each phase of the selected runs: the events counted in it, divided by its length.

    Differences over one second add up to the count at the last scrape. A mean of rates would leave out the
    seconds before a series existed.
    """
    counted = f"sum by ({', '.join(by)}) ({grown(counter, where, '1s')})"
    now = f'topk(1, max by (phase) ({PHASE}{{{OF_RUN},phase=~"{phase}"}} == 1))'
    sums = f"sum_over_time(({counted} * on() group_left(phase) {now})[$__range:1s])"
    return f"{sums} / on(phase) group_left() sum_over_time(({now})[$__range:1s])"


def over_baseline(counter: str, by: Sequence[str], where: str) -> str:
    """Each phase's events per second minus the baseline's; a series that the baseline lacks counts as 0 there."""
    phases, labels = by_phase(counter, by, where), ", ".join(by)
    baseline = f"sum by ({labels}) ({by_phase(counter, by, where, 'baseline')})"
    return f"({phases} - on({labels}) group_left() {baseline}) or {phases}"
