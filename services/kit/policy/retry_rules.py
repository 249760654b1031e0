"""Which failures a policy may repeat on which link.

A failure is *definite* when the callee certainly did nothing: repeating it is always safe. After an *indefinite*
one the first attempt may have been carried out, so only a step whose callee recognises the repetition may be sent
again.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.kit.failures.problem import Mechanism
from services.kit.policy.findings import Finding
from services.kit.policy.sections import Backoff, DatabaseLinkPolicy, FixedBackoff, LinkPolicy

DEFINITE = frozenset({Mechanism.CONNECT_REFUSED, Mechanism.POOL_EXHAUSTED})
"""The repeatable failures after which certainly nothing was done."""

OF_A_DATABASE = frozenset(
    {
        Mechanism.POOL_EXHAUSTED,
        Mechanism.DATABASE_UNAVAILABLE,
        Mechanism.TIMEOUT,
        Mechanism.COMMIT_UNKNOWN,
    }
)
"""How a statement can fail."""

REPEATABLE = (
    DEFINITE
    | OF_A_DATABASE
    | {
        Mechanism.DISCONNECTED,
        Mechanism.CONNECTION_RESET,
        Mechanism.UPSTREAM_ERROR,
        Mechanism.BAD_ANSWER,
    }
)

_WHY_NOT = {
    Mechanism.BREAKER_OPEN: "an open breaker asks for quiet",
    Mechanism.BULKHEAD_FULL: "a full bulkhead asks for fewer calls",
    Mechanism.SEMAPHORE_FULL: "a full semaphore asks for fewer calls",
    Mechanism.DEADLINE: "when the deadline has passed no time is left to repeat anything",
    Mechanism.RETRY_BUDGET_EXHAUSTED: "the budget refuses repetitions, it is not repeated itself",
}


def retry_faults(
    link: str, section: LinkPolicy | DatabaseLinkPolicy, idempotent_by: str | None
) -> Iterator[Finding]:
    """Yield what is wrong with the retries of one link.

    `idempotent_by`: how the callee recognises a repetition; None: it does not, and nothing indefinite is repeated.
    """
    retry, where = section.retry, f"links.{link}.retry"
    if retry is None:
        return
    if retry.attempts == 1:
        message = "is 1: the first attempt is no retry"
        yield Finding(f"{where}.attempts", message, "write `retry: off`, or 2 and more")
    if not retry.on:
        yield Finding(f"{where}.on", "is empty: nothing would be repeated", "write `retry: off`")
    for mechanism in retry.on:
        database = isinstance(section, DatabaseLinkPolicy)
        why = _why_not(mechanism, database=database, idempotent_by=idempotent_by)
        if why:
            yield Finding(f"{where}.on", f"{mechanism}: {why}", f"remove {mechanism}")
    yield from backoff_faults(retry.backoff, f"{where}.backoff")


def _why_not(mechanism: Mechanism, *, database: bool, idempotent_by: str | None) -> str:
    """Return why a failure by `mechanism` must not be repeated on the link; "" when it may be."""
    if mechanism not in REPEATABLE:
        return _WHY_NOT.get(mechanism, "this is an answer, and would be the same again")
    if database and mechanism not in OF_A_DATABASE:
        return "a statement never fails by it"
    if idempotent_by is None and mechanism not in DEFINITE:
        return (
            "after it the step may have been carried out, and this link's callee would not "
            "recognise its repetition: it would be done twice"
        )
    return ""


def backoff_faults(backoff: Backoff, where: str) -> Iterator[Finding]:
    """Yield what is wrong with the pauses at the dotted path `where`."""
    if not isinstance(backoff, FixedBackoff) and backoff.first_ms > backoff.max_ms:
        message = f"is {backoff.first_ms:g}, more than max_ms ({backoff.max_ms:g})"
        yield Finding(f"{where}.first_ms", message, "lower it, or raise max_ms")
