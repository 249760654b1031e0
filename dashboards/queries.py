"""The PromQL of the dashboards; ``services/kit/metrics.py`` defines the metric names.

Three rules apply everywhere:

* A **rate** is the difference of a counter over the window, divided by the window. PromQL's ``rate()`` needs two
  samples of a series, so it misses everything before the first one: the first burst of any failure that
  ``services/kit/expected.py`` does not list. A counter that decreased was restarted and counts from 0.
* A **run** is a time filter: services know nothing about runs, the runner publishes when one is active. ``All`` also
  matches ``up``, which always exists. Every query is filtered unless it is marked ``always`` (``panels.Query``).
* **Mechanisms that never occurred are not listed.** Counters start at 0, for a dozen mechanisms per link. Panels by
  mechanism show only those that have counted something, or a line named ``none``.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.kit import metrics

PHASE = "aguante_phase"
"""1 for the current phase of a run, by ``run_id``, ``experiment``, ``phase``; published by the runner."""
FAULT_ACTIVE = "aguante_fault_active"
"""1 while a fault is active, by ``run_id``, ``experiment``, ``fault``, ``link`` or ``service``, ``kind``; likewise."""
TOXIPROXY_RECEIVED = "toxiproxy_proxy_received_bytes_total"
"""Exposed by Toxiproxy, by ``proxy`` and ``direction``; changes only when a connection closes."""

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
    """Return the query for the growth of each series of a counter over ``window``.

    A new series counts in full, but only if its target was already being scraped. Otherwise everything that a service
    had counted before Prometheus started would appear as one burst.
    """
    series = f"{counter}{{{where}}}" if where else counter
    new = f"({series} and on(job, instance) up offset {window})"
    return f"(({series} - {series} offset {window} >= 0) or {new})"


def per_second(counter: str, by: Sequence[str] = (), where: str = "") -> str:
    """Return the query for events per second, summed by labels; by mechanism, only those that have occurred."""
    rate = f"{_sum(by)} ({grown(counter, where)}) / {WINDOW_S}"
    if "error_type" not in by:
        return rate
    labels, series = ", ".join(by), f"{counter}{{{where}}}" if where else counter
    return f"({rate}) and on({labels}) ({_sum(by)} ({series}) > 0)"


def _sum(by: Sequence[str]) -> str:
    return f"sum by ({', '.join(by)})" if by else "sum"


def quantile(q: float, histogram: str, by: Sequence[str] = (), where: str = "") -> str:
    """Return the query for a quantile in seconds, interpolated within a bucket; no value without samples."""
    labels = ", ".join(("le", *by))
    buckets = f"{histogram}_bucket{{{where}}}" if where else f"{histogram}_bucket"
    rates = f"sum by ({labels}) (rate({buckets}[{WINDOW}]))"
    return f"histogram_quantile({q}, {rates}) >= 0"


def share(part: str, whole: str) -> str:
    """Return the query for ``part`` divided by ``whole``, 0 to 1; 0 without events."""
    return f"({part}) / (({whole}) > 0) or on() vector(0)"


def in_run(expression: str) -> str:
    """Restrict a query to the time of the selected runs; with ``All``, do not restrict it."""
    return f'({expression}) and on() max({{__name__=~"{PHASE}|up",{OF_RUN}}} == 1)'


def or_none(expression: str, label: str) -> str:
    """Return a query for the series, or for a 0 whose ``label`` is ``none``."""
    return f'({expression}) or on() label_replace(vector(0), "{label}", "none", "", "")'


def by_phase(counter: str, by: Sequence[str], where: str, phase: str = ".*") -> str:
    """Return the query for events per second in each phase of the selected runs: the count divided by the length.

    Differences over one second add up to the exact count. A mean of rates would omit the seconds before a series
    existed.
    """
    counted = f"sum by ({', '.join(by)}) ({grown(counter, where, '1s')})"
    now = f'topk(1, max by (phase) ({PHASE}{{{OF_RUN},phase=~"{phase}"}} == 1))'
    sums = f"sum_over_time(({counted} * on() group_left(phase) {now})[$__range:1s])"
    return f"{sums} / on(phase) group_left() sum_over_time(({now})[$__range:1s])"


def over_baseline(counter: str, by: Sequence[str], where: str) -> str:
    """Return the query for the difference of each phase to the baseline; a missing baseline counts as 0."""
    phases, labels = by_phase(counter, by, where), ", ".join(by)
    baseline = f"sum by ({labels}) ({by_phase(counter, by, where, 'baseline')})"
    return f"({phases} - on({labels}) group_left() {baseline}) or {phases}"
