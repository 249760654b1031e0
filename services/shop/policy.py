"""The shop's resilience policy: its links, and the switches that only a shop has. `policies/*.yaml` are read here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta

from services.kit.policy.findings import Finding, Strict
from services.kit.policy.loading import Document, load
from services.kit.policy.retry_rules import backoff_faults, retry_faults
from services.kit.policy.sections import (
    Backoff,
    BasePolicy,
    DatabaseLinkPolicy,
    DatabasePolicy,
    LinkPolicy,
    Links,
    SemaphorePolicy,
    links_of,
)
from services.shop import links

IDEMPOTENT_BY: Mapping[str, str | None] = MappingProxyType(
    {
        links.GATEWAY_RESERVATIONS: "the Idempotency-Key; reading changes nothing",
        links.GATEWAY_INVENTORY: "reading changes nothing",
        links.RESERVATIONS_INVENTORY: "the reservation id",
        links.RESERVATIONS_PAYMENTS: "the reservation id",
        links.RESERVATIONS_NOTIFICATIONS: "the reservation id",
        links.RESERVATIONS_DB: "the saga's version: each transition is a compare-and-set",
    }
)
"""How the callee recognises a repetition; absent or None: it does not, and nothing indefinite is repeated."""
WITHOUT_RETRY = (links.INVENTORY_DB, links.PAYMENTS_DB)
"""Only reservations repeats statements; the steps of the other two are repeated as a whole by their caller."""


class CompensationPolicy(Strict, frozen=True, kw_only=True):
    """How a failed saga gives back what it took: each release and refund within `timeout_s`, until it succeeds."""

    timeout_s: Annotated[float, Meta(gt=0, le=5)]
    backoff: Backoff


class ShopLinks(Links, frozen=True, kw_only=True):
    """Every link on which one of the five services calls."""

    gateway_reservations: LinkPolicy
    gateway_inventory: LinkPolicy
    reservations_inventory: LinkPolicy
    reservations_payments: LinkPolicy
    reservations_notifications: LinkPolicy
    reservations_db: DatabaseLinkPolicy
    inventory_db: DatabaseLinkPolicy
    payments_db: DatabaseLinkPolicy


class Policy(BasePolicy, frozen=True, kw_only=True):
    """One complete policy.

    `semaphore` is the gateway's. `lock` is how inventory guards its seats: by row, in the process, or not.
    `compensation` None: a failed saga gives nothing back. `degradation`: a notice that cannot be sent waits in the
    `outbox`; None: it fails the reservation. `database` holds for each service that has one.
    """

    semaphore: SemaphorePolicy | None
    lock: Literal["row", "process", "none"]
    compensation: CompensationPolicy | None
    degradation: Literal["outbox"] | None
    database: DatabasePolicy
    links: ShopLinks


def load_policy(path: Path) -> Policy:
    """Read a policy file; raises `Invalid` with every fault in it, `OSError` when it cannot be read."""
    return read_policy(path)[0]


def read_policy(path: Path) -> tuple[Policy, Document]:
    """Read a policy file as `load_policy` does; the document knows the line of each setting."""
    return load(path, Policy, faults)


def faults(
    policy: Policy, idempotent_by: Mapping[str, str | None] = IDEMPOTENT_BY
) -> Iterator[Finding]:
    """Yield every rule that the policy breaks although each of its values is allowed."""
    for link, section in links_of(policy).items():
        if link in WITHOUT_RETRY and section.retry is not None:
            message = (
                "must be off: this service runs each statement once, its caller repeats the step"
            )
            yield Finding(f"links.{link}.retry", message, f"write `{link}: {{retry: off}}`")
        else:
            yield from retry_faults(link, section, idempotent_by.get(link))
    if policy.compensation is not None:
        yield from backoff_faults(policy.compensation.backoff, "compensation.backoff")
