"""What a policy must not say although each of its values is allowed: above all, what may be repeated where.

A failure is *definite* when the callee certainly did nothing: repeating it is always safe. After an *indefinite*
one the first attempt may have been carried out, so only a step that recognises its repetition may be sent again.
Times are another matter: ``budget.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from services.kit.failures.problem import Mechanism
from services.kit.policy.findings import Finding
from services.kit.policy.sections import (
    Backoff,
    DatabaseLinkPolicy,
    FixedBackoff,
    LinkPolicy,
    Policy,
    RetryPolicy,
)

IDEMPOTENT_BY: Mapping[str, str | None] = MappingProxyType(
    {
        "gateway-reservations": "the Idempotency-Key; reading changes nothing",
        "gateway-inventory": "reading changes nothing",
        "reservations-inventory": "the reservation id",
        "reservations-payments": "the reservation id",
        "reservations-notifications": "the reservation id",
        "reservations-db": "the saga's version: each transition is a compare-and-set",
    }
)
"""How the callee recognises a repetition; None or absent: it does not, and nothing indefinite is repeated."""

DEFINITE = frozenset({Mechanism.CONNECT_REFUSED, Mechanism.POOL_EXHAUSTED})
"""Of what may be repeated, that which surely did nothing."""

REPEATABLE = DEFINITE | {
    Mechanism.DISCONNECTED,
    Mechanism.CONNECTION_RESET,
    Mechanism.TIMEOUT,
    Mechanism.UPSTREAM_ERROR,
    Mechanism.BAD_ANSWER,
    Mechanism.DATABASE_UNAVAILABLE,
    Mechanism.COMMIT_UNKNOWN,
}
OF_A_DATABASE = frozenset(
    {
        Mechanism.POOL_EXHAUSTED,
        Mechanism.DATABASE_UNAVAILABLE,
        Mechanism.TIMEOUT,
        Mechanism.COMMIT_UNKNOWN,
    }
)
"""What a statement can fail by: anything else in its ``on`` would never match."""

_WHY_NOT = {
    Mechanism.BREAKER_OPEN: "an open breaker asks for quiet",
    Mechanism.BULKHEAD_FULL: "a full bulkhead asks for fewer calls",
    Mechanism.SEMAPHORE_FULL: "a full semaphore asks for fewer calls",
    Mechanism.DEADLINE: "when the deadline has passed no time is left to repeat anything",
    Mechanism.RETRY_BUDGET_EXHAUSTED: "the budget refuses repetitions, it is not repeated itself",
}

# Only reservations runs its statements through a retry; a policy for the others would be without effect.
_NOT_OFFERED = ("inventory-db", "payments-db")


def faults(
    policy: Policy, idempotent_by: Mapping[str, str | None] = IDEMPOTENT_BY
) -> tuple[Finding, ...]:
    """Return every rule that the policy breaks; ``idempotent_by`` maps each link to what makes it repeatable."""
    return tuple(_faults(policy, idempotent_by))


def links_of(policy: Policy) -> dict[str, LinkPolicy | DatabaseLinkPolicy]:
    """Return the links' sections by the links' own names."""
    fields = msgspec.structs.fields(type(policy.links))
    return {field.encode_name: getattr(policy.links, field.name) for field in fields}


def _faults(policy: Policy, idempotent_by: Mapping[str, str | None]) -> Iterator[Finding]:
    for link, section in links_of(policy).items():
        retry, where = section.retry, f"links.{link}.retry"
        if retry is None:
            continue
        if link in _NOT_OFFERED:
            message = (
                "must be off: this service runs each statement once, its caller repeats the step"
            )
            yield Finding(where, message, f"write `{link}: {{retry: off}}`")
            continue
        database = isinstance(section, DatabaseLinkPolicy)
        yield from _retry_faults(retry, where, database=database, by=idempotent_by.get(link))
        yield from _backoff_faults(retry.backoff, f"{where}.backoff")
    if policy.compensation is not None:
        yield from _backoff_faults(policy.compensation.backoff, "compensation.backoff")


def _retry_faults(
    retry: RetryPolicy, where: str, *, database: bool, by: str | None
) -> Iterator[Finding]:
    if retry.attempts == 1:
        message = "is 1: the first attempt is no retry"
        yield Finding(f"{where}.attempts", message, "write `retry: off`, or 2 and more")
    if not retry.on:
        yield Finding(f"{where}.on", "is empty: nothing would be repeated", "write `retry: off`")
    for mechanism in retry.on:
        why = _why_not(mechanism, database=database, by=by)
        if why:
            yield Finding(f"{where}.on", f"{mechanism}: {why}", f"remove {mechanism}")


def _why_not(mechanism: Mechanism, *, database: bool, by: str | None) -> str:
    """Return why a failure by ``mechanism`` must not be repeated on the link, or nothing."""
    if mechanism not in REPEATABLE:
        return _WHY_NOT.get(mechanism, "this is an answer, and would be the same again")
    if database and mechanism not in OF_A_DATABASE:
        return "a statement never fails by it"
    if by is None and mechanism not in DEFINITE:
        return (
            "after it the step may have been carried out, and this link's callee would not "
            "recognise its repetition: it would be done twice"
        )
    return ""


def _backoff_faults(backoff: Backoff, where: str) -> Iterator[Finding]:
    if not isinstance(backoff, FixedBackoff) and backoff.first_ms > backoff.max_ms:
        message = f"is {backoff.first_ms:g}, more than max_ms ({backoff.max_ms:g})"
        yield Finding(f"{where}.first_ms", message, "lower it, or raise max_ms")
