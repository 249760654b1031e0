"""What the timeout budget speaks of: a finding, and the arithmetic of ``deadline.py`` and ``retry.py`` in advance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from services.kit.failures.failed import caller_of
from services.kit.policy.sections import (
    Backoff,
    FixedBackoff,
    FullJitterBackoff,
    Policy,
    RetryPolicy,
)

_MARGINS = {"gateway": 1, "reservations": 2}


class Severity(StrEnum):
    """How bad a finding is; see ``budget.py``."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class BudgetFinding:
    """One thing that the times of a policy amount to. ``service`` is whose times they are, ``where`` a dotted path."""

    severity: Severity
    rule: str
    service: str
    where: str
    message: str
    mend: str


def usable_s(policy: Policy, link: str) -> float:
    """Return the seconds that all attempts over ``link`` have together at most; infinite without a deadline."""
    if policy.deadline is None:
        return math.inf
    return policy.deadline.total_s - _MARGINS[caller_of(link)] * policy.deadline.margin_s


def pauses_s(retry: RetryPolicy, attempts: int, *, longest: bool) -> float:
    """Return the sum of the pauses before attempt number ``attempts``, as long or as short as they can be."""
    return sum(_pause_s(retry.backoff, n, longest=longest) for n in range(1, attempts))


def _pause_s(backoff: Backoff, attempt: int, *, longest: bool) -> float:
    if isinstance(backoff, FixedBackoff):
        return backoff.pause_ms / 1000
    if isinstance(backoff, FullJitterBackoff) and not longest:
        return 0.0
    return float(min(backoff.max_ms, backoff.first_ms * 2 ** (attempt - 1)) / 1000)


def seconds(value_s: float) -> str:
    """Return a number of seconds as a sentence shows it."""
    return f"{round(value_s, 3):g} s"
