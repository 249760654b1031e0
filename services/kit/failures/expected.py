"""Sets of failures that can be foreseen, so that each series of a metric exists at 0 before its first failure.

A series that appears with its first failures shows no growth by them: `rate()` and `increase()` only see what comes
after the first scrape, and so they miss the first burst. Every child of a histogram takes time at each scrape, so
these are the failures of a broken link, process or database, and business refusals. What only a client's mistake or
a defect causes (400, 422, 500, 502, ...) is not created beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from services.kit.failures.problem import Mechanism

NO_RESPONSE = (
    Mechanism.CONNECT_REFUSED,
    Mechanism.DISCONNECTED,
    Mechanism.CONNECTION_RESET,
    Mechanism.TIMEOUT,
    Mechanism.DEADLINE,
)
"""How an attempt over HTTP ends without a response."""
OF_READS = (Mechanism.TIMEOUT, Mechanism.POOL_EXHAUSTED, Mechanism.DATABASE_UNAVAILABLE)
OF_WRITES = (*OF_READS, Mechanism.COMMIT_UNKNOWN)
"""How a service responds when its database fails."""
OF_STATEMENTS = (Mechanism.TIMEOUT, Mechanism.DATABASE_UNAVAILABLE)
"""How a statement fails that was sent."""

Failures = Mapping[tuple[str, str], tuple[Mechanism, ...]]
"""(method, route) -> the failures that it responds with."""
NONE: Failures = MappingProxyType({})
