"""The resilience pipeline of a link: which layers a call passes, and in which order.

Outermost first: **deadline > retry > breaker > bulkhead > timeout**.

* The deadline is outside everything: all attempts and pauses share it, and it comes with the call.
* Retry is outside the breaker, so that each attempt is counted by it, and a call that it refuses is not repeated.
* The breaker is outside the bulkhead: it refuses first, and a full bulkhead says nothing about the callee.
* The timeout is innermost: each attempt has its own, cut to what the deadline leaves.

A layer that the policy switches off passes the call straight through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from services.kit.patterns.breaker import Breaker
from services.kit.patterns.bulkhead import Bulkhead
from services.kit.patterns.deadline import AttemptLimit, Deadline
from services.kit.patterns.retry import Retry
from services.kit.patterns.timeout import Timeout
from services.kit.policy.sections import LinkPolicy
from services.kit.telemetry.events import Emit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the innermost function is given: the attempt's number, its limit, and the deadline to pass on."""

    number: int
    limit: AttemptLimit
    deadline: Deadline


class Pipeline:
    """The layers of one link, as its policy tunes them. Breaker, bulkhead and retry budget count all its calls."""

    def __init__(self, link: str, policy: LinkPolicy, emit: Emit) -> None:
        self.retry = Retry(link, policy.retry, emit)
        self.breaker = Breaker(link, policy.breaker, emit)
        self.bulkhead = Bulkhead(link, policy.bulkhead, emit)
        self.timeout = Timeout(link, policy.timeout_s, emit)

    async def run(
        self, send: Callable[[Attempt], Awaitable[T]], deadline: Deadline, first: int = 1
    ) -> T:
        """Make a call within `deadline`; raises the `CallFailed` of its last attempt, or of the layer that refused it.

        `first`: the number of the first attempt, for a caller that repeats calls by itself.
        """
        return await self.retry.run(
            lambda attempt: self.breaker.run(
                lambda: self.bulkhead.run(
                    lambda: self.timeout.run(
                        lambda limit: send(Attempt(first + attempt - 1, limit, deadline)), deadline
                    )
                )
            ),
            deadline,
        )
