"""The resilience policy: which patterns are on, and how they are tuned. ``policy_file.py`` reads ``policies/*.yaml``.

A pattern that is ``off`` (or null) is really off: its code passes straight through. The file is complete:
nothing has a default here, so that a policy can be read without knowing this module. What one value cannot say
about itself (which mechanisms may be repeated where) is in ``policy_rules.py``, what the times amount to together
in ``budget.py``.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from services.kit.failures.problem import Mechanism

Seconds = Annotated[float, Meta(gt=0, le=60)]
Milliseconds = Annotated[float, Meta(ge=0, le=60_000)]
Count = Annotated[int, Meta(ge=1, le=10_000)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen section of the policy in which a misspelt key is a fault."""


class SemaphorePolicy(_Strict, frozen=True, kw_only=True):
    """At most ``limit`` requests in flight at the gateway."""

    limit: Count


class DeadlinePolicy(_Strict, frozen=True, kw_only=True):
    """``total_s`` for the whole request; each hop keeps ``margin_s`` to answer its caller."""

    total_s: Seconds
    margin_s: Annotated[float, Meta(ge=0, le=5)]


class FixedBackoff(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="fixed"):
    """The same pause after every attempt: callers that failed together come back together."""

    pause_ms: Milliseconds


class ExponentialBackoff(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="exponential"):
    """``first_ms``, then twice as long after each attempt, up to ``max_ms``."""

    first_ms: Milliseconds
    max_ms: Milliseconds


class FullJitterBackoff(
    _Strict, frozen=True, kw_only=True, tag_field="kind", tag="exponential_full_jitter"
):
    """Evenly drawn between 0 and what ``exponential`` would wait: callers that failed together spread out."""

    first_ms: Milliseconds
    max_ms: Milliseconds


Backoff = FixedBackoff | ExponentialBackoff | FullJitterBackoff


class RetryPolicy(_Strict, frozen=True, kw_only=True):
    """At most ``attempts`` in all, and only after a failure by a mechanism in ``on``.

    A callee's ``Retry-After`` lengthens the pause of ``backoff``, never shortens it.

    ``budget``: retries may be at most this share of the calls (plus a burst of 10); null is no budget.
    """

    attempts: Annotated[int, Meta(ge=1, le=10)]
    on: tuple[Mechanism, ...]
    backoff: Backoff
    budget: Annotated[float, Meta(ge=0, le=1)] | None


class BreakerPolicy(_Strict, frozen=True, kw_only=True):
    """Open after ``failures`` consecutive failures; let one probe through ``reset_s`` later."""

    failures: Count
    reset_s: Seconds


class BulkheadPolicy(_Strict, frozen=True, kw_only=True):
    """At most ``limit`` calls in flight on the link."""

    limit: Count


class LinkPolicy(_Strict, frozen=True, kw_only=True):
    """The patterns on one link; None is off."""

    timeout_s: Seconds | None
    retry: RetryPolicy | None
    breaker: BreakerPolicy | None
    bulkhead: BulkheadPolicy | None


class DatabaseLinkPolicy(_Strict, frozen=True, kw_only=True):
    """The one pattern on a link to a database; timeouts and pool are under ``database``.

    Only reservations repeats statements: the other two are repeated as a whole step by whoever called them.
    """

    retry: RetryPolicy | None


class DatabasePolicy(_Strict, frozen=True, kw_only=True):
    """The connection pool of each service, how long to wait for a connection, and for a statement."""

    pool_size: Annotated[int, Meta(ge=1, le=100)]
    acquire_s: Seconds
    statement_s: Seconds


class CompensationPolicy(_Strict, frozen=True, kw_only=True):
    """How a failed saga gives back what it took: each release and refund within ``timeout_s``, until it holds."""

    timeout_s: Annotated[float, Meta(gt=0, le=5)]
    backoff: Backoff


class Links(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Every link that one of our services calls over; the names are those of ``proxies/links.yaml``."""

    gateway_reservations: LinkPolicy
    gateway_inventory: LinkPolicy
    reservations_inventory: LinkPolicy
    reservations_payments: LinkPolicy
    reservations_notifications: LinkPolicy
    reservations_db: DatabaseLinkPolicy
    inventory_db: DatabaseLinkPolicy
    payments_db: DatabaseLinkPolicy


class Policy(_Strict, frozen=True, kw_only=True):
    """One complete policy.

    ``lock`` is how inventory guards its seats: by row, in the process, or not. ``compensation`` null: a failed
    saga gives nothing back. ``degradation`` is how reservations does without notifications: their notice waits in
    the ``outbox``; null: a notice that cannot be sent fails the reservation.
    """

    name: str
    semaphore: SemaphorePolicy | None
    deadline: DeadlinePolicy | None
    lock: Literal["row", "process", "none"]
    compensation: CompensationPolicy | None
    degradation: Literal["outbox"] | None
    database: DatabasePolicy
    links: Links
