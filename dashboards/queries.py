"""The PromQL of the dashboards, over the names that ``services/kit/telemetry/metrics.py`` owns.

Three things are done everywhere in the same way:

* A **rate** is the difference of a counter over the window, by the window. PromQL's ``rate()`` needs two samples
  of a series, and all that happened before the first of them is lost: that is the first burst of whatever
  ``services/kit/failures/expected.py`` did not foresee. A counter that fell was started anew, and counts from 0.
* A **run** is a mask in time: the services know nothing of runs, the runner says when one is on. ``All`` matches
  ``up`` too, which is always there. Every query that is not marked ``always`` is cut by it (``panels.Query``).
* **What has not happened is not listed.** Counters stand at 0 from the start, a dozen mechanisms for each link: by
  mechanism those lines alone are shown that have counted anything yet, and one that says ``none`` while there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.kit.telemetry import metrics

PHASE = "aguante_phase"
"""1 for the phase that a run is in, by ``run_id``, ``experiment``, ``phase``; published by the runner."""
FAULT_ACTIVE = "aguante_fault_active"
"""1 while a fault holds, by ``run_id``, ``experiment``, ``fault``, ``link`` or ``service``, ``kind``; by the runner."""
TOXIPROXY_RECEIVED = "toxiproxy_proxy_received_bytes_total"
"""Toxiproxy's own, by ``proxy`` and ``direction``; it moves only when a connection closes."""

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
    """By how much each series of a counter grew over ``window``.

    A series that was not there before counts as a whole, if its target was read already then: or else all that a
    service had counted before Prometheus came would seem to have happened at once.
    """
    series = f"{counter}{{{where}}}" if where else counter
    new = f"({series} and on(job, instance) up offset {window})"
    return f"(({series} - {series} offset {window} >= 0) or {new})"


def per_second(counter: str, by: Sequence[str] = (), where: str = "") -> str:
    """Events a second, summed by labels; by mechanism only what has happened yet."""
    rate = f"{_sum(by)} ({grown(counter, where)}) / {WINDOW_S}"
    if "error_type" not in by:
        return rate
    labels, series = ", ".join(by), f"{counter}{{{where}}}" if where else counter
    return f"({rate}) and on({labels}) ({_sum(by)} ({series}) > 0)"


def _sum(by: Sequence[str]) -> str:
    return f"sum by ({', '.join(by)})" if by else "sum"


def quantile(q: float, histogram: str, by: Sequence[str] = (), where: str = "") -> str:
    """A quantile in seconds, interpolated within a bucket: every timeout is a bucket's edge. None of nothing."""
    labels = ", ".join(("le", *by))
    buckets = f"{histogram}_bucket{{{where}}}" if where else f"{histogram}_bucket"
    rates = f"sum by ({labels}) (rate({buckets}[{WINDOW}]))"
    return f"histogram_quantile({q}, {rates}) >= 0"


def share(part: str, whole: str) -> str:
    """``part`` of ``whole``, 0 to 1; 0 where nothing happened."""
    return f"({part}) / (({whole}) > 0) or on() vector(0)"


def in_run(expression: str) -> str:
    """Only while a chosen run is on; always, when all are chosen."""
    return f'({expression}) and on() max({{__name__=~"{PHASE}|up",{OF_RUN}}} == 1)'


def or_none(expression: str, label: str) -> str:
    """The series, or a 0 whose ``label`` says ``none``."""
    return f'({expression}) or on() label_replace(vector(0), "{label}", "none", "", "")'


def by_phase(counter: str, by: Sequence[str], where: str, phase: str = ".*") -> str:
    """Events a second in each phase of the chosen runs: what was counted in it, by how long it was.

    Differences over a second add up to what was counted, to the scrape. A mean of rates would leave out the
    seconds before a series was there.
    """
    counted = f"sum by ({', '.join(by)}) ({grown(counter, where, '1s')})"
    now = f'topk(1, max by (phase) ({PHASE}{{{OF_RUN},phase=~"{phase}"}} == 1))'
    sums = f"sum_over_time(({counted} * on() group_left(phase) {now})[$__range:1s])"
    return f"{sums} / on(phase) group_left() sum_over_time(({now})[$__range:1s])"


def over_baseline(counter: str, by: Sequence[str], where: str) -> str:
    """By how much a phase's events a second differ from the baseline's; what that had none of is 0 in it."""
    phases, labels = by_phase(counter, by, where), ", ".join(by)
    baseline = f"sum by ({labels}) ({by_phase(counter, by, where, 'baseline')})"
    return f"({phases} - on({labels}) group_left() {baseline}) or {phases}"
