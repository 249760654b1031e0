"""The one error format: RFC 9457 problem details that say where a failure came from.

Handlers raise a `Problem` and the server renders it; `parse_problem` reads a callee's body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

import msgspec

PROBLEM_TYPE = "application/problem+json"
BODY_BYTES_MAX = 16 * 1024


class Mechanism(StrEnum):
    """What produced a failure: a closed list that `testbed.yaml` owns; a test compares the two."""

    SEMAPHORE_FULL = "semaphore_full"
    BREAKER_OPEN = "breaker_open"
    BULKHEAD_FULL = "bulkhead_full"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    CONNECT_REFUSED = "connect_refused"
    DISCONNECTED = "disconnected"
    CONNECTION_RESET = "connection_reset"
    UPSTREAM_ERROR = "upstream_error"
    BAD_ANSWER = "bad_answer"
    POOL_EXHAUSTED = "pool_exhausted"
    RETRY_BUDGET_EXHAUSTED = "retry_budget_exhausted"
    DATABASE_UNAVAILABLE = "database_unavailable"
    COMMIT_UNKNOWN = "commit_unknown"
    SOLD_OUT = "sold_out"
    PAYMENT_DECLINED = "payment_declined"
    KEY_IN_PROGRESS = "key_in_progress"
    KEY_REUSED = "key_reused"
    VOIDED = "voided"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID_INPUT = "invalid_input"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INTERNAL_ERROR = "internal_error"


# The contract's status for each mechanism.
# An internal error is 500 only at the service where it happened; one hop further it is 502 (failed.py).
STATUS_OF: Mapping[Mechanism, int] = MappingProxyType(
    {
        Mechanism.SEMAPHORE_FULL: 429,
        Mechanism.BREAKER_OPEN: 503,
        Mechanism.BULKHEAD_FULL: 503,
        Mechanism.TIMEOUT: 504,
        Mechanism.DEADLINE: 504,
        Mechanism.CONNECT_REFUSED: 503,
        Mechanism.DISCONNECTED: 503,
        Mechanism.CONNECTION_RESET: 503,
        Mechanism.UPSTREAM_ERROR: 502,
        Mechanism.BAD_ANSWER: 502,
        Mechanism.POOL_EXHAUSTED: 503,
        Mechanism.RETRY_BUDGET_EXHAUSTED: 503,
        Mechanism.DATABASE_UNAVAILABLE: 503,
        Mechanism.COMMIT_UNKNOWN: 503,
        Mechanism.SOLD_OUT: 409,
        Mechanism.PAYMENT_DECLINED: 402,
        Mechanism.KEY_IN_PROGRESS: 409,
        Mechanism.KEY_REUSED: 422,
        Mechanism.VOIDED: 409,
        Mechanism.BAD_REQUEST: 400,
        Mechanism.NOT_FOUND: 404,
        Mechanism.BODY_TOO_LARGE: 413,
        Mechanism.UNSUPPORTED_MEDIA_TYPE: 415,
        Mechanism.INVALID_INPUT: 422,
        Mechanism.METHOD_NOT_ALLOWED: 405,
        Mechanism.INTERNAL_ERROR: 500,
    }
)


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """A failure on its way to the caller; handlers raise it, the server renders it.

    `status` defaults to the mechanism's own, `origin` to the service that renders it. `definite`: it can never
    become confirmed. `settled`: nothing is left to give back. `retry_after_s` becomes `Retry-After` (whole seconds,
    at least 1); a 429 and a 503 always carry one. `headers` are sent along.
    """

    mechanism: Mechanism
    detail: str
    status: int = 0
    origin: str = ""
    link: str | None = None
    definite: bool = True
    settled: bool = True
    reservation_id: str | None = None
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill in the status that the contract gives this mechanism."""
        super().__init__(self.detail)
        self.status = self.status or STATUS_OF[self.mechanism]
        if self.retry_after_s is None and self.status in (429, 503):
            self.retry_after_s = 1

    def body(self, service: str, trace_id: str) -> bytes:
        """Return the RFC 9457 body; `service` is the origin when the problem names none."""
        return msgspec.json.encode(
            ProblemBody(
                type=f"urn:aguante:problem:{self.mechanism}",
                title=HTTPStatus(self.status).phrase,
                status=self.status,
                detail=self.detail,
                origin=self.origin or service,
                link=self.link,
                mechanism=self.mechanism,
                definite=self.definite,
                settled=self.settled,
                reservation_id=self.reservation_id,
                trace_id=trace_id,
            )
        )


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True):
    """The complete wire form, which every non-2xx response of every service carries."""

    type: str
    title: str
    status: int
    detail: str
    origin: str
    link: str | None
    mechanism: Mechanism
    definite: bool
    settled: bool
    reservation_id: str | None
    trace_id: str


class _TolerantBody(msgspec.Struct, frozen=True):
    """A callee's body as far as it is read; only mechanism and origin must be there."""

    mechanism: Mechanism
    origin: str
    detail: str = ""
    link: str | None = None
    definite: bool = False
    settled: bool = False
    reservation_id: str | None = None


def parse_problem(status: int, body: bytes, retry_after: str | None = None) -> Problem | None:
    """Read a callee's problem body; None when it is none, is too large or names no known mechanism.

    What the callee leaves out is assumed to be the worse case: not definite, not settled.
    """
    if len(body) > BODY_BYTES_MAX:
        return None
    try:
        found = msgspec.json.decode(body, type=_TolerantBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return Problem(
        mechanism=found.mechanism,
        detail=found.detail,
        status=status,
        origin=found.origin,
        link=found.link,
        definite=found.definite,
        settled=found.settled,
        reservation_id=found.reservation_id,
        retry_after_s=_seconds(retry_after),
    )


def _seconds(header: str | None) -> float | None:
    return min(float(header), 3600.0) if header and header.isascii() and header.isdigit() else None
