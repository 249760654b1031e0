"""Sample traces of the hand-made run: one 504 by timeout, one 503 by the breaker, one 429."""

from typing import NamedTuple

from aguante.measure.measures import SampleSpan, SampleTrace

LINK = "reservations-payments"


class S(NamedTuple):
    """A span in short: parent is an index into the same list, -1 for the root."""

    parent: int
    service: str
    name: str
    kind: str
    start_ms: float
    duration_ms: float
    link: str = ""
    error: str = ""
    status: int = 0
    events: tuple[tuple[float, str], ...] = ()


def _spans(rows: tuple[S, ...]) -> tuple[SampleSpan, ...]:
    return tuple(
        SampleSpan(
            span_id=f"{i:016x}",
            parent_id="" if row.parent < 0 else f"{row.parent:016x}",
            service=row.service,
            name=row.name,
            kind=row.kind,
            start_ms=row.start_ms,
            duration_ms=row.duration_ms,
            link=row.link,
            attempt=1 if row.kind == "CLIENT" and "db" not in row.link else 0,
            error_type=row.error,
            status_code=row.status,
            events=row.events,
        )
        for i, row in enumerate(rows)
    )


TIMED_OUT = (
    S(-1, "gateway", "POST /reserve", "SERVER", 0.0, 3014.2, "", "timeout", 504),
    S(0, "gateway", "POST /reserve", "CLIENT", 0.6, 3013.1, "gateway-reservations", "timeout", 504),
    S(1, "reservations", "POST /reserve", "SERVER", 1.4, 3011.8, "", "timeout", 504),
    S(2, "reservations", "INSERT sagas", "CLIENT", 1.8, 2.3, "reservations-db"),
    S(2, "reservations", "POST /reserve", "CLIENT", 4.4, 5.8, "reservations-inventory", "", 200),
    S(4, "inventory", "POST /reserve", "SERVER", 5.1, 4.6, "", "", 200),
    S(5, "inventory", "SELECT events FOR UPDATE", "CLIENT", 5.5, 1.6, "inventory-db"),
    S(5, "inventory", "UPDATE events", "CLIENT", 7.3, 1.7, "inventory-db"),
    S(
        2,
        "reservations",
        "POST /pay",
        "CLIENT",
        11.0,
        3000.4,
        LINK,
        "timeout",
        0,
        ((3011.2, "breaker.transition reservations-payments closed -> open"),),
    ),
    S(8, "payments", "POST /pay", "SERVER", 12.1, 3.9, "", "", 200),
    S(9, "payments", "INSERT charges", "CLIENT", 12.6, 2.2, "payments-db"),
    S(2, "reservations", "UPDATE sagas", "CLIENT", 3011.6, 1.4, "reservations-db"),
)
REFUSED = (
    S(-1, "gateway", "POST /reserve", "SERVER", 0.0, 26.4, "", "breaker_open", 503),
    S(
        0,
        "gateway",
        "POST /reserve",
        "CLIENT",
        0.5,
        25.2,
        "gateway-reservations",
        "breaker_open",
        503,
    ),
    S(
        1,
        "reservations",
        "POST /reserve",
        "SERVER",
        1.2,
        24.0,
        "",
        "breaker_open",
        503,
        ((19.5, "call.rejected reservations-payments breaker_open"),),
    ),
    S(2, "reservations", "INSERT sagas", "CLIENT", 1.7, 4.3, "reservations-db"),
    S(2, "reservations", "POST /reserve", "CLIENT", 6.4, 12.6, "reservations-inventory", "", 200),
    S(4, "inventory", "POST /reserve", "SERVER", 7.5, 10.8, "", "", 200),
    S(2, "reservations", "UPDATE sagas", "CLIENT", 20.0, 4.6, "reservations-db"),
)
SHED = (
    S(
        -1,
        "gateway",
        "POST /reserve",
        "SERVER",
        0.0,
        1.9,
        "",
        "semaphore_full",
        429,
        ((0.4, "call.rejected client-gateway semaphore_full"),),
    ),
)


def sample_traces() -> tuple[SampleTrace, ...]:
    """One trace per failing cause, first come first."""
    stories = (
        ("5f" * 16, 8.021, 504, "timeout", LINK, TIMED_OUT),
        ("a3" * 16, 9.433, 429, "semaphore_full", "client-gateway", SHED),
        ("c7" * 16, 11.119, 503, "breaker_open", LINK, REFUSED),
    )
    return tuple(
        SampleTrace(
            trace_id=trace_id,
            at_s=at_s,
            operation="reserve",
            status=status,
            mechanism=mechanism,
            link=link,
            spans=_spans(rows),
        )
        for trace_id, at_s, status, mechanism, link, rows in stories
    )
