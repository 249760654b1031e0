"""How a call over a link fails, and what the caller of the caller is told about it.

An error is *definite* when the callee certainly did nothing (and never will); otherwise it may have acted.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.kit.failures.problem import STATUS_OF, Mechanism, Problem


@dataclass(eq=False)
class Failed(Exception):  # noqa: N818 - named as the contract speaks of it
    """A call over ``link`` that brought no usable answer.

    ``origin`` is the service that decided (ourselves for a timeout, the callee for a status it answered),
    ``link`` the edge where it went wrong: for a failure that the callee reports, the edge that the callee names.
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
    """An HTTP call failed. ``status`` and ``problem`` are the callee's, None when no answer came.

    ``retry_after_s``: how long whoever refused the call asks to be left alone, None when nobody said.
    """

    status: int | None = None
    problem: Problem | None = None
    retry_after_s: float | None = None


@dataclass(eq=False)
class DatabaseFailed(Failed):
    """A statement, a COMMIT, or getting a connection failed.

    ``definite``: certainly nothing was written. Mechanisms: ``pool_exhausted``, ``database_unavailable``,
    ``timeout``, and ``commit_unknown`` for a write whose outcome nobody knows.
    """


def problem_from(failure: Failed, *, reservation_id: str | None = None) -> Problem:
    """Return what our own caller is told: the contract's status, and the origin, link and mechanism as they were.

    A callee's problem is passed on with its ``definite``, ``settled`` and ``reservation_id``; a failure of our
    own making is settled when it is definite. Change the fields of the result where you know better.
    """
    said = failure.problem if isinstance(failure, CallFailed) else None
    if said is not None:
        return Problem(
            mechanism=said.mechanism,
            detail=said.detail,
            status=_forwarded(said.mechanism),
            origin=said.origin,
            link=said.link,
            definite=said.definite,
            settled=said.settled,
            reservation_id=said.reservation_id or reservation_id,
            retry_after_s=said.retry_after_s,
        )
    return Problem(
        mechanism=failure.mechanism,
        detail=_told(failure),
        status=_forwarded(failure.mechanism),
        origin=failure.origin,
        link=failure.link,
        definite=failure.definite,
        settled=failure.definite,
        reservation_id=reservation_id,
        retry_after_s=failure.retry_after_s if isinstance(failure, CallFailed) else None,
    )


def _told(failure: Failed) -> str:
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
    """Return the service that calls over ``link``: links are named caller-callee."""
    return link.partition("-")[0]


def callee_of(link: str) -> str:
    """Return the service that is called over ``link``."""
    return link.partition("-")[2]
