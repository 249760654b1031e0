"""The row that the load generator writes for every request, one JSON object a line.

This module is the only owner of the request columns. ``loadtests`` imports only this from ``aguante``;
together with ``rates.py`` it imports only msgspec, so that the Locust child starts fast.

Times are seconds since t0 (the moment that the runner hands to the load generator); latencies are
milliseconds from the *intended* start, so that a stalled generator cannot hide waiting (no
coordinated omission).
"""

import msgspec

from aguante.load_protocol.rates import Shape


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One request as its client saw it."""

    seq: int
    """Number of the arrival, from 0, in order of intended start."""
    operation: str
    """What was asked, e.g. ``reserve`` or ``read_event``; those that begin with ``reserve`` carry a key."""
    intended_s: float
    """When the arrival process wanted it to start, seconds since t0."""
    started_s: float
    """When it was actually sent, seconds since t0."""
    latency_ms: float
    """From intended start to the end of the answer (or to the failure)."""
    status: int
    """HTTP status code; 0 when there was no answer."""
    origin: str = ""
    """Service that decided the failure; ``client`` when no answer came; empty on success."""
    link: str = ""
    """The edge on which it failed, or empty."""
    mechanism: str = ""
    """One of the testbed's mechanisms or client_mechanisms; empty on success."""
    definite: bool = False
    """The answer said: this can never become confirmed."""
    settled: bool = False
    """The answer said: everything is already given back."""
    trace_id: str = ""
    """32 hex digits; made by the client, so that it is known even without an answer."""
    idempotency_key: str = ""
    """The key that was sent with a reserve, or empty."""
    reservation_id: str = ""
    """The reservation that the answer named, or empty."""
    event_id: str = ""
    """The event asked for."""
    worker: int = 0
    """Which worker sent it, from 0."""


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the load generator needs to know; the runner writes it as one JSON file."""

    base_url: str
    """Address of the ``client-gateway`` link, e.g. ``http://127.0.0.1:41231``."""
    profile: str
    """Name of a profile in ``loadtests/profiles.py``."""
    arrivals: str
    """``fixed`` or ``poisson``."""
    rate_rps: float
    """Offered rate, requests per second, > 0; where the profile changes it, the rate at the start."""
    shape: Shape = Shape()
    """How the profile changes it."""
    duration_s: float
    """Arrivals stop after this; > 0. Requests under way are then awaited up to ``timeout_s``."""
    mix: dict[str, float]
    """Operation -> share; sums to 1."""
    event_ids: list[str]
    """Events to ask for, drawn uniformly."""
    seed: int
    """Every random draw of the generator comes from it."""
    timeout_s: float
    """Of the client, per request (7 s: longer than the gateway's deadline)."""
    run_id: str
    experiment: str
    phases: list[tuple[str, float, float]]
    """(name, start_s, end_s): names the baggage ``aguante.phase`` by intended start."""
    records_path: str
    """JSONL file that receives one RequestRecord a line."""
    max_outstanding: int = 1000
    """Arrivals beyond this many unfinished requests are counted as shed, never silently dropped (of each worker)."""
    sold_out_id: str = ""
    """An event without a seat, for ``reserve_sold_out``; empty: there is none."""
    users: int = 0
    """0: an open loop. More: a closed one, in which so many users each wait for an answer before they ask again;
    ``rate_rps`` is then what they reach together while answers are quick."""
    workers: int = 1
    """Processes that send the load. They share one schedule: worker k of n sends the arrivals k, k + n, k + 2n, ..."""
    worker: int = 0
    """Which of them this plan is for."""


class LoadSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The last line that the load generator prints on stdout."""

    offered: int
    """Arrivals that the process intended."""
    sent: int
    """Requests actually sent."""
    shed: int
    """Arrivals given up because ``max_outstanding`` were unfinished."""
    completed: int
    """Records written."""
    clock_error_ms: float = 0.0
    """By how much a worker's clock may differ from the others', at most: half of its quickest round trip."""
