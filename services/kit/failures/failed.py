"""How a call over a link or a statement fails, and the problem that our own caller gets for it.

A failure is *definite* when the callee certainly did nothing and never will; otherwise it may have acted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.kit.failures.problem import STATUS_OF, Mechanism, Problem


@dataclass(eq=False)
class Failed(Exception):  # noqa: N818 - named as in the contract
    """A call over `link` that brought no usable response.

    `origin` is the service that decided (ourselves for a timeout, the callee for a status of its own), `link` the
    edge where it went wrong: for a failure that the callee reports, the edge that the callee names.
    """

    mechanism: Mechanism
    definite: bool
    link: str | None
    origin: str
    detail: str = ""

    def __post_init__(self) -> None:
        """Give the exception a text that says where and why."""
        super().__init__(f"{self.link}: {self.mechanism}: {self.detail}")


@dataclass(eq=False)
class CallFailed(Failed):
    """An HTTP call failed. `status` and `problem` are the callee's, None when no response came.

    `retry_after_s`: how long to wait before the next call, as the callee or the breaker asks; None: not stated.
    """

    status: int | None = None
    problem: Problem | None = None
    retry_after_s: float | None = None


@dataclass(eq=False)
class DatabaseFailed(Failed):
    """A statement or a COMMIT failed, or no connection could be had.

    `definite`: certainly nothing was written. Mechanisms: `pool_exhausted`, `database_unavailable`, `timeout`, and
    `commit_unknown` for a write whose outcome is unknown.
    """


def problem_from(failure: Failed, *, reservation_id: str | None = None) -> Problem:
    """Return the problem for our own caller: the contract's status; origin, link and mechanism unchanged.

    A callee's problem is forwarded with its `definite`, `settled` and `reservation_id`; a failure of our own is
    settled when it is definite. Change the fields of the result where more is known.
    """
    theirs = failure.problem if isinstance(failure, CallFailed) else None
    if theirs is not None:
        return Problem(
            mechanism=theirs.mechanism,
            detail=theirs.detail,
            status=_forwarded(theirs.mechanism),
            origin=theirs.origin,
            link=theirs.link,
            definite=theirs.definite,
            settled=theirs.settled,
            reservation_id=theirs.reservation_id or reservation_id,
            retry_after_s=theirs.retry_after_s,
        )
    return Problem(
        mechanism=failure.mechanism,
        detail=_detail(failure),
        status=_forwarded(failure.mechanism),
        origin=failure.origin,
        link=failure.link,
        definite=failure.definite,
        settled=failure.definite,
        reservation_id=reservation_id,
        retry_after_s=failure.retry_after_s if isinstance(failure, CallFailed) else None,
    )


@contextmanager
def failures_as_problems(reservation_id: str | None = None) -> Iterator[None]:
    """Raise a failed call or statement of the body as the problem for our own caller."""
    try:
        yield
    except Failed as failed:
        raise problem_from(failed, reservation_id=reservation_id) from failed


def _detail(failure: Failed) -> str:
    advice = _ADVICE.get(failure.mechanism, "Try again later.")
    return f"{advice} ({failure.detail})" if failure.detail else advice


def _forwarded(mechanism: Mechanism) -> int:
    return 502 if mechanism is Mechanism.INTERNAL_ERROR else STATUS_OF[mechanism]


_ADVICE = {
    Mechanism.BREAKER_OPEN: "The circuit breaker is open: the callee failed repeatedly. Try again after Retry-After.",
    Mechanism.BULKHEAD_FULL: "Every slot for this callee is taken. Try again after Retry-After.",
    Mechanism.TIMEOUT: "No answer within the step's timeout. The work may still be done: ask for its state.",
    Mechanism.DEADLINE: "The request's deadline left no more time. Ask for its state before you repeat it.",
    Mechanism.CONNECT_REFUSED: "The callee could not be reached; nothing was done. Try again.",
    Mechanism.DISCONNECTED: "The connection closed before an answer came. The work may be done: ask for its state.",
    Mechanism.CONNECTION_RESET: "The connection was reset before an answer came. Ask for the state before repeating.",
    Mechanism.UPSTREAM_ERROR: "The callee answered with an error that explains nothing more.",
    Mechanism.BAD_ANSWER: "The callee's answer could not be understood.",
    Mechanism.POOL_EXHAUSTED: "Every database connection is in use. Try again after Retry-After.",
    Mechanism.DATABASE_UNAVAILABLE: "The database cannot be reached. Try again after Retry-After.",
    Mechanism.COMMIT_UNKNOWN: "The connection was lost during a commit. The work may be done: ask for its state.",
}


def caller_of(link: str) -> str:
    """Return the service that calls over `link`: links are named caller-callee."""
    return link.partition("-")[0]


def callee_of(link: str) -> str:
    """Return the service that is called over `link`."""
    return link.partition("-")[2]
