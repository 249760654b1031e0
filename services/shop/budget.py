"""The timeout budget: what the times of a policy amount to together, and which of them can never take effect.

Pure: a policy in, findings out. A generator with the name of a rule yields that rule's findings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from services.kit.failures.failed import callee_of, caller_of
from services.kit.failures.problem import Mechanism
from services.kit.policy.sections import DatabaseLinkPolicy, LinkPolicy, RetryPolicy, links_of
from services.shop.budget_model import BudgetFinding, Severity, pauses_s, usable_s
from services.shop.budget_model import seconds as _s
from services.shop.links import STEPS
from services.shop.policy import Policy

CLIENT_TIMEOUT_S = 7.0
"""How long the load generator waits; a test checks that loadtests/ has the same number."""
LEASE_S = 15
"""How long a saga belongs to its owner after each transition."""
ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def check(policy: Policy) -> tuple[BudgetFinding, ...]:
    """Return every finding, the worst first."""
    found = [*_client(policy), *_margins(policy), *_chain(policy), *_resets(policy)]
    for link, section in links_of(policy).items():
        if isinstance(section, LinkPolicy):
            found += [*_timeout(policy, link, section), *_attempts(policy, link, section)]
            found += [*_breaker(link, section), *_database(policy, link, section)]
    found += _confirmation(policy)
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _client(policy: Policy) -> Iterator[BudgetFinding]:
    """Compare the client's patience with what ends its request: the deadline, or else the gateway's timeout."""
    where, limit_s = (
        "links.gateway-reservations.timeout_s",
        _timeout_of(policy.links.gateway_reservations),
    )
    if policy.deadline is not None:
        where, limit_s = "deadline.total_s", policy.deadline.total_s
    if CLIENT_TIMEOUT_S <= limit_s < math.inf:
        message = (
            f"the gateway answers within {_s(limit_s)} and the client waits {_s(CLIENT_TIMEOUT_S)}: it hangs up "
            "before the answer comes, and never learns what went wrong"
        )
        fix = f"lower this below {_s(CLIENT_TIMEOUT_S)}"
        yield BudgetFinding(ERROR, "client_gives_up_first", "gateway", where, message, fix)


def _margins(policy: Policy) -> Iterator[BudgetFinding]:
    if policy.deadline is None or usable_s(policy, STEPS[0]) > 0:
        return
    message = (
        f"two hops keep a margin of {_s(policy.deadline.margin_s)} each, and the deadline is "
        f"{_s(policy.deadline.total_s)}: reservations has no time to call any service"
    )
    fix = "lower deadline.margin_s, or raise deadline.total_s"
    yield BudgetFinding(
        ERROR, "margins_use_up_deadline", "gateway", "deadline.margin_s", message, fix
    )


def _chain(policy: Policy) -> Iterator[BudgetFinding]:
    """Walk through the steps of one reservation, each of which takes as long as it may."""
    links = links_of(policy)
    steps = [(callee_of(link), _timeout_of(links[link])) for link in STEPS]
    sum_s = sum(timeout_s for _, timeout_s in steps)
    if math.isinf(sum_s):
        return  # each link without a timeout has a finding of its own
    terms = " + ".join(f"{name} {_s(timeout_s)}" for name, timeout_s in steps)
    if policy.deadline is None:
        yield from _abandoned(policy, terms, sum_s)
        return
    left_s = usable_s(policy, STEPS[0])
    if 0 < left_s < sum_s:
        message = (
            f"POST /reserve: {terms} = {_s(sum_s)}, and reservations has {_s(left_s)} for them (deadline "
            f"{_s(policy.deadline.total_s)} less 2 margins of {_s(policy.deadline.margin_s)}). If each takes "
            f"as long as it may: {_walk(steps, left_s)}"
        )
        fix = (
            f"raise deadline.total_s to {_s(policy.deadline.total_s + sum_s - left_s)}, or lower the steps' "
            "timeouts; or leave it, if the deadline is meant to cap them"
        )
        yield BudgetFinding(
            WARNING, "steps_exceed_deadline", "reservations", "deadline.total_s", message, fix
        )


def _walk(steps: list[tuple[str, float]], left_s: float) -> str:
    words = []
    for name, timeout_s in steps:
        if left_s <= 0:
            words.append(f"{name} is never called")
        elif left_s < timeout_s:
            words.append(f"{name} is cut to {_s(left_s)} (`deadline`, not `timeout`)")
        else:
            words.append(f"{name} has its {_s(timeout_s)}")
        left_s -= timeout_s
    return ", ".join(words)


def _abandoned(policy: Policy, terms: str, sum_s: float) -> Iterator[BudgetFinding]:
    timeout_s = _timeout_of(policy.links.gateway_reservations)
    if timeout_s < sum_s:
        where = "links.gateway-reservations.timeout_s"
        message = (
            f"without a deadline the gateway gives up after {_s(timeout_s)}, while reservations goes on "
            f"for up to {terms} = {_s(sum_s)}: work that nobody waits for"
        )
        fix = f"switch the deadline on, or raise this timeout above {_s(sum_s)}"
        yield BudgetFinding(WARNING, "work_nobody_waits_for", "gateway", where, message, fix)


def _timeout(policy: Policy, link: str, section: LinkPolicy) -> Iterator[BudgetFinding]:
    where, left_s = f"links.{link}.timeout_s", usable_s(policy, link)
    uncounted = "; its breaker does not count that" if section.breaker is not None else ""
    if section.timeout_s is None and math.isinf(left_s):
        message = "neither a timeout nor a deadline: a call over this link may wait indefinitely"
        fix = "set this timeout, or switch the deadline on"
        yield _of_link(ERROR, "unbounded", link, where, message, fix)
    elif section.timeout_s is None:
        message = f"no timeout: only the deadline ({_s(left_s)}) ends a slow call{uncounted}"
        fix = f"set this timeout below {_s(left_s)}"
        yield _of_link(WARNING, "only_the_deadline", link, where, message, fix)
    elif section.timeout_s > left_s > 0:
        severity = WARNING if section.breaker is not None else INFO
        message = (
            f"this timeout ({_s(section.timeout_s)}) can never fire: the deadline leaves {_s(left_s)}, "
            f"so a slow call is always `deadline`{uncounted}"
        )
        fix = f"lower it to {_s(left_s)} at most, or raise deadline.total_s"
        yield _of_link(severity, "timeout_never_fires", link, where, message, fix)


def _attempts(policy: Policy, link: str, section: LinkPolicy) -> Iterator[BudgetFinding]:
    """Compare what all attempts and pauses take with what the deadline leaves them."""
    retry, left_s = section.retry, usable_s(policy, link)
    if retry is None or left_s <= 0:
        return
    where = f"links.{link}.retry.attempts"
    for attempt in range(2, retry.attempts + 1):
        before_s = pauses_s(retry, attempt, longest=False)
        if before_s >= left_s:
            message = (
                f"attempt {attempt} can never be made: the pauses before it take at least {_s(before_s)}, "
                f"and the deadline leaves {_s(left_s)}"
            )
            fix = f"write {attempt - 1} attempts, or a shorter backoff"
            yield _of_link(ERROR, "attempt_never_made", link, where, message, fix)
            return
    if section.timeout_s is not None:
        yield from _slow_attempts(link, retry, min(section.timeout_s, left_s), left_s)


def _slow_attempts(
    link: str, retry: RetryPolicy, timeout_s: float, left_s: float
) -> Iterator[BudgetFinding]:
    where, number = f"links.{link}.retry.attempts", retry.attempts
    before_s = (number - 1) * timeout_s + pauses_s(retry, number, longest=False)
    worst_s = number * timeout_s + pauses_s(retry, number, longest=True)
    if Mechanism.TIMEOUT in retry.on and before_s >= left_s:
        message = (
            f"attempt {number} can never be reached after timeouts: {number - 1} of {_s(timeout_s)} and the "
            f"pauses take {_s(before_s)}, and the deadline leaves {_s(left_s)}"
        )
        fix = "lower the timeout or the attempts, or raise deadline.total_s"
        yield _of_link(WARNING, "attempt_not_reached", link, where, message, fix)
    elif worst_s > left_s:
        message = (
            f"{number} attempts of {_s(timeout_s)} and their pauses take up to {_s(worst_s)}, and the deadline "
            f"leaves {_s(left_s)}: an attempt that follows slow ones is cut short, or not made"
        )
        fix = f"raise deadline.total_s by {_s(worst_s - left_s)}, or accept fewer attempts after slow failures"
        yield _of_link(WARNING, "attempts_exceed_deadline", link, where, message, fix)


def _breaker(link: str, section: LinkPolicy) -> Iterator[BudgetFinding]:
    reset_s = math.inf if section.breaker is None else section.breaker.reset_s
    if section.timeout_s is not None and reset_s < section.timeout_s:
        message = (
            f"the breaker tries again after {_s(reset_s)}, before the calls that opened it have all timed out "
            f"({_s(section.timeout_s)}): a slow callee gets no time to recover"
        )
        fix, where = (
            f"raise it to {_s(section.timeout_s)} at least",
            f"links.{link}.breaker.reset_s",
        )
        yield _of_link(WARNING, "reset_before_timeout", link, where, message, fix)


def _resets(policy: Policy) -> Iterator[BudgetFinding]:
    """Report once, for all links that share a reset, that no request lives until its breaker closes."""
    outlasting: dict[float, list[str]] = {}
    for link, section in links_of(policy).items():
        breaker = section.breaker if isinstance(section, LinkPolicy) else None
        if breaker is not None and breaker.reset_s >= usable_s(policy, link):
            outlasting.setdefault(breaker.reset_s, []).append(link)
    for reset_s, links in outlasting.items():
        message = (
            f"an open breaker tries again after {_s(reset_s)}, and no request lives that long: a request that "
            f"finds it open is refused, with the seconds to wait in Retry-After ({', '.join(links)})"
        )
        fix = "none needed, unless a request shall outlast an open breaker"
        where = f"links.{links[0]}.breaker.reset_s"
        yield _of_link(INFO, "reset_outlasts_request", links[0], where, message, fix)


def _database(policy: Policy, link: str, section: LinkPolicy) -> Iterator[BudgetFinding]:
    """Compare one statement of the callee with the time that its caller waits."""
    callee, database = callee_of(link), policy.database
    if f"{callee}-db" not in links_of(policy):
        return
    waits_s = min(_timeout_of(section), usable_s(policy, link))
    if database.acquire_s + database.statement_s >= waits_s > 0:
        message = (
            f"{callee} waits {_s(database.acquire_s)} for a connection and {_s(database.statement_s)} for a "
            f"statement, and its caller over {link} gives up after {_s(waits_s)}: it reads `timeout`, which is "
            "indefinite, where the callee would have named its database"
        )
        fix = f"lower acquire_s + statement_s below {_s(waits_s)}"
        yield BudgetFinding(
            WARNING, "database_outlasts_step", callee, "database.statement_s", message, fix
        )


def _confirmation(policy: Policy) -> Iterator[BudgetFinding]:
    """Compare the longest that writing CONFIRMED may take with the lease; the deadline does not limit it."""
    retry = policy.links.reservations_db.retry
    if retry is None:
        return
    where = "links.reservations-db.retry.attempts"
    one_s = policy.database.acquire_s + policy.database.statement_s
    worst_s = retry.attempts * one_s + pauses_s(retry, retry.attempts, longest=True)
    takes = f"writing CONFIRMED takes up to {retry.attempts} times {_s(one_s)} and the pauses, {_s(worst_s)}"
    if worst_s >= LEASE_S:
        message = (
            f"{takes}, longer than the saga's lease ({_s(LEASE_S)}): another worker takes it over"
        )
        fix = "lower the attempts or the database's limits"
        yield BudgetFinding(
            ERROR, "confirmation_outlasts_lease", "reservations", where, message, fix
        )
    elif policy.deadline is not None:
        message = f"{takes}, whatever the deadline says: a charged reservation is not given up for being late"
        fix = "none needed: the client reads 504, not definite, and asks for the reservation later"
        yield BudgetFinding(
            INFO, "confirmation_has_no_deadline", "reservations", where, message, fix
        )


def _timeout_of(section: LinkPolicy | DatabaseLinkPolicy) -> float:
    timeout_s = section.timeout_s if isinstance(section, LinkPolicy) else None
    return math.inf if timeout_s is None else timeout_s


def _of_link(
    severity: Severity, rule: str, link: str, where: str, message: str, fix: str
) -> BudgetFinding:
    return BudgetFinding(severity, rule, caller_of(link), where, message, fix)
