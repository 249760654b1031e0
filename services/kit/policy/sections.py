"""The sections that a resilience policy is made of: one for each pattern, with the bounds of its settings.

A pattern that is `off` (or null) is really off: its code passes straight through. Nothing has a default here, so
that a policy file can be read without knowing this module.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from services.kit.failures.problem import Mechanism
from services.kit.policy.findings import Strict

Seconds = Annotated[float, Meta(gt=0, le=60)]
Milliseconds = Annotated[float, Meta(ge=0, le=60_000)]
Count = Annotated[int, Meta(ge=1, le=10_000)]


class SemaphorePolicy(Strict, frozen=True, kw_only=True):
    """At most `limit` requests in flight in one service."""

    limit: Count


class DeadlinePolicy(Strict, frozen=True, kw_only=True):
    """`total_s` for the whole request; each hop keeps `margin_s` to answer its caller."""

    total_s: Seconds
    margin_s: Annotated[float, Meta(ge=0, le=5)]


class FixedBackoff(Strict, frozen=True, kw_only=True, tag_field="kind", tag="fixed"):
    """The same pause after every attempt: callers that failed together come back together."""

    pause_ms: Milliseconds


class ExponentialBackoff(Strict, frozen=True, kw_only=True, tag_field="kind", tag="exponential"):
    """`first_ms`, then twice as long after each attempt, up to `max_ms`."""

    first_ms: Milliseconds
    max_ms: Milliseconds


class FullJitterBackoff(
    Strict, frozen=True, kw_only=True, tag_field="kind", tag="exponential_full_jitter"
):
    """Evenly drawn between 0 and what `exponential` would wait: callers that failed together spread out."""

    first_ms: Milliseconds
    max_ms: Milliseconds


Backoff = FixedBackoff | ExponentialBackoff | FullJitterBackoff


class RetryPolicy(Strict, frozen=True, kw_only=True):
    """At most `attempts` in all, and only after a failure by a mechanism in `on`.

    A callee's `Retry-After` lengthens the pause of `backoff`, never shortens it. `budget`: retries may be at most
    this share of the calls, plus a burst of 10; None: no budget.
    """

    attempts: Annotated[int, Meta(ge=1, le=10)]
    on: tuple[Mechanism, ...]
    backoff: Backoff
    budget: Annotated[float, Meta(ge=0, le=1)] | None


class BreakerPolicy(Strict, frozen=True, kw_only=True):
    """Open after `failures` consecutive failures; let one probe through `reset_s` later."""

    failures: Count
    reset_s: Seconds


class BulkheadPolicy(Strict, frozen=True, kw_only=True):
    """At most `limit` calls in flight on the link."""

    limit: Count


class LinkPolicy(Strict, frozen=True, kw_only=True):
    """The patterns on one link; None is off."""

    timeout_s: Seconds | None
    retry: RetryPolicy | None
    breaker: BreakerPolicy | None
    bulkhead: BulkheadPolicy | None


class DatabaseLinkPolicy(Strict, frozen=True, kw_only=True):
    """The one pattern on a link to a database; timeouts and pool are in a `DatabasePolicy`."""

    retry: RetryPolicy | None


class DatabasePolicy(Strict, frozen=True, kw_only=True):
    """The connection pool of each service, how long to wait for a connection, and for a statement."""

    pool_size: Annotated[int, Meta(ge=1, le=100)]
    acquire_s: Seconds
    statement_s: Seconds


class Links(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """A section for each link on which a service of the system calls; a system lists its own in a subclass."""


class BasePolicy(Strict, frozen=True, kw_only=True):
    """What the kit reads of any policy; a system adds its own switches and links in a subclass."""

    name: str
    deadline: DeadlinePolicy | None
    links: Links


def links_of(policy: BasePolicy) -> dict[str, LinkPolicy | DatabaseLinkPolicy]:
    """Return the links' sections by the links' own names."""
    fields = msgspec.structs.fields(policy.links)
    return {field.encode_name: getattr(policy.links, field.name) for field in fields}
