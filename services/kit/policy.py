"""The resilience policy: which patterns are on, and how they are tuned. Read from ``policies/*.yaml``.

A pattern that is ``off`` (or null) is really off: its code passes straight through. The file is complete:
nothing has a default here, so that a policy can be read without knowing this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from services.kit.findings import Finding, Invalid, convert
from services.kit.problem import Mechanism

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


class BackoffPolicy(_Strict, frozen=True, kw_only=True):
    """Exponential from ``first_ms`` to ``max_ms``; ``full`` jitter draws evenly between 0 and that."""

    first_ms: Milliseconds
    max_ms: Milliseconds
    jitter: Literal["full", "none"]


class RetryPolicy(_Strict, frozen=True, kw_only=True):
    """At most ``attempts`` in all, and only after a failure by a mechanism in ``on``.

    ``budget``: retries may be at most this share of the calls (plus a burst of 10); null is no budget.
    """

    attempts: Annotated[int, Meta(ge=1, le=10)]
    on: tuple[Mechanism, ...]
    backoff: BackoffPolicy
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
    """The one pattern on a link to a database; timeouts and pool are under ``database``."""

    retry: RetryPolicy | None


class DatabasePolicy(_Strict, frozen=True, kw_only=True):
    """The connection pool of each service, how long to wait for a connection, and for a statement."""

    pool_size: Annotated[int, Meta(ge=1, le=100)]
    acquire_s: Seconds
    statement_s: Seconds


class HttpLinks(
    msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True
):
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
    """One complete policy. ``lock`` is how inventory guards its seats: by row, in the process, or not."""

    name: str
    semaphore: SemaphorePolicy | None
    deadline: DeadlinePolicy | None
    lock: Literal["row", "process", "none"]
    database: DatabasePolicy
    links: HttpLinks


def load_policy(path: Path) -> Policy:
    """Read a policy file; raises ``Invalid`` with every fault in it, ``OSError`` when it cannot be read."""
    try:
        document: object = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise Invalid((Finding("", f"not YAML: {' '.join(str(error).split())}"),)) from error
    return convert(_off_is_null(document), Policy)


def _off_is_null(node: object) -> object:
    """YAML 1.2 reads ``off`` as a word: in a policy it means that there is none."""
    if isinstance(node, dict):
        return {key: _off_is_null(value) for key, value in node.items()}
    return None if node == "off" else node
