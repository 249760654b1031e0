"""Which failures can come where, so that each has its series at 0 before it comes.

A series that appears with its first failures shows no growth by them: `rate()` and `increase()` see only what
comes after its first scrape, and the first burst is the most telling one. Every child of a histogram costs time at
each scrape, so these are what a broken link, process or database gives, and a business's refusals; what only a
client's own mistake or a defect gives (400, 422, 500, 502 and their like) is not there beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from services.kit.failures.problem import Mechanism

NO_ANSWER = (
    Mechanism.CONNECT_REFUSED,
    Mechanism.DISCONNECTED,
    Mechanism.CONNECTION_RESET,
    Mechanism.TIMEOUT,
    Mechanism.DEADLINE,
)
"""How an attempt over HTTP ends without an answer."""
OF_READS = (Mechanism.TIMEOUT, Mechanism.POOL_EXHAUSTED, Mechanism.DATABASE_UNAVAILABLE)
OF_WRITES = (*OF_READS, Mechanism.COMMIT_UNKNOWN)
"""What a service that asks its database answers when that fails."""
OF_STATEMENTS = (Mechanism.TIMEOUT, Mechanism.DATABASE_UNAVAILABLE)
"""How a statement that was sent fails."""
OF_COMPENSATIONS = (*NO_ANSWER[:4], *OF_WRITES[1:])
"""How a release or refund fails: it has no deadline."""

Failures = Mapping[tuple[str, str], tuple[Mechanism, ...]]
"""(method, route) -> the failures that it is answered with."""
NONE: Failures = MappingProxyType({})
