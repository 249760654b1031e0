"""What the timeout budget is made of: findings, and the arithmetic of deadlines and retries in advance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from services.kit.failures.failed import caller_of
from services.kit.patterns.retry import longest_pause_s
from services.kit.policy.sections import FullJitterBackoff, RetryPolicy
from services.shop.policy import Policy

_MARGINS = {"gateway": 1, "reservations": 2}


class Severity(StrEnum):
    """How bad a finding is.

    error: contradictory, unbounded, or without any effect. warning: in some course of events a setting does not do
    what it says. info: intended, and worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class BudgetFinding:
    """One consequence of a policy's times. `service`: whose times they are; `where`: a dotted path in the policy."""

    severity: Severity
    rule: str
    service: str
    where: str
    message: str
    fix: str


def usable_s(policy: Policy, link: str) -> float:
    """Return the seconds that all attempts over `link` have together at most; infinite without a deadline.

    The gateway starts the deadline and keeps one margin for its own answer; reservations takes off the gateway's
    margin and keeps one of its own. So with 5 s and margins of 0.2 s the gateway's calls have 4.8 s, and those of
    reservations 4.6 s.
    """
    if policy.deadline is None:
        return math.inf
    return policy.deadline.total_s - _MARGINS[caller_of(link)] * policy.deadline.margin_s


def pauses_s(retry: RetryPolicy, attempts: int, *, longest: bool) -> float:
    """Return the sum of the pauses before attempt number `attempts`, as long or as short as they can be."""
    if isinstance(retry.backoff, FullJitterBackoff) and not longest:
        return 0.0
    return sum(longest_pause_s(retry.backoff, n) for n in range(1, attempts))


def seconds(value_s: float) -> str:
    """Return a number of seconds as a sentence shows it."""
    return f"{round(value_s, 3):g} s"
