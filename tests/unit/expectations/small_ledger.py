"""A ledger of a few requests, written by hand."""

from collections.abc import Callable

from aguante.expectations.measurement import Measurement
from aguante.load_protocol.records import RequestRecord

Measure = Callable[..., Measurement]
FAULT_S = 8.0
"""When the fault phase of the plan begins, and the fault."""


def request(
    seq: int, intended_s: float, status: int, latency_ms: float = 10.0, link: str = ""
) -> RequestRecord:
    """A request that was sent on time; a failed one names an origin and a mechanism."""
    failed = status != 200
    return RequestRecord(
        seq=seq,
        operation="reserve",
        intended_s=intended_s,
        started_s=intended_s,
        latency_ms=latency_ms,
        status=status,
        origin="reservations" if failed else "",
        link=link,
        mechanism="timeout" if failed else "",
    )
