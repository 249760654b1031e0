"""The timeout budget: what the times of a policy amount to together, and which of them can never come about.

Pure: a policy in, findings out. The arithmetic is that of ``deadline.py``: the gateway starts the deadline and
keeps one margin for its own answer; reservations takes the caller's margin off and keeps one of its own. So with
5 s and margins of 0.2 s a call by the gateway has 4.8 s, and a call by reservations 4.6 s.

*error*: contradictory, unbounded, or without any effect. *warning*: there is a course of events in which a setting
does not do what it says. *info*: worth knowing, and meant so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from services.kit.failures.failed import callee_of, caller_of
from services.kit.failures.problem import Mechanism
from services.kit.policy.budget_model import BudgetFinding, Severity, pauses_s, usable_s
from services.kit.policy.budget_model import seconds as _s
from services.kit.policy.retry_rules import links_of
from services.kit.policy.sections import DatabaseLinkPolicy, LinkPolicy, Policy, RetryPolicy

CLIENT_TIMEOUT_S = 7.0
"""What our own load generator waits; loadtests/ is checked equal."""
LEASE_S = 15.0
"""How long a saga belongs to its owner; services/reservations is checked equal."""
STEPS = ("reservations-inventory", "reservations-payments", "reservations-notifications")
"""The calls that one reservation makes, one after another, within one deadline."""
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
    """Compare what the client waits with what ends its request: the deadline, or else the gateway's own timeout."""
    if policy.deadline is not None:
        where, limit_s = "deadline.total_s", policy.deadline.total_s
    else:
        where, limit_s = (
            "links.gateway-reservations.timeout_s",
            _timeout_of(policy.links.gateway_reservations),
        )
    if CLIENT_TIMEOUT_S <= limit_s < math.inf:
        message = (
            f"the gateway answers within {_s(limit_s)} and the client waits {_s(CLIENT_TIMEOUT_S)}: it is gone "
            "before the answer comes, and never learns what went wrong"
        )
        mend = f"lower this below {_s(CLIENT_TIMEOUT_S)}"
        yield BudgetFinding(ERROR, "client_gives_up_first", "gateway", where, message, mend)


def _margins(policy: Policy) -> Iterator[BudgetFinding]:
    if policy.deadline is None:
        return
    total_s, margin_s = policy.deadline.total_s, policy.deadline.margin_s
    left_s = usable_s(policy, STEPS[0])
    if left_s <= 0:
        message = (
            f"two hops keep a margin of {_s(margin_s)} each, and the deadline is {_s(total_s)}: "
            "reservations can call nobody"
        )
        mend = "lower deadline.margin_s, or raise deadline.total_s"
        yield BudgetFinding(
            ERROR, "margins_use_up_deadline", "gateway", "deadline.margin_s", message, mend
        )


def _chain(policy: Policy) -> Iterator[BudgetFinding]:
    """Walk the steps of one reservation, each taking as long as it may."""
    links = links_of(policy)
    steps = [(callee_of(link), _timeout_of(links[link])) for link in STEPS]
    sum_s = sum(timeout_s for _, timeout_s in steps)
    if math.isinf(sum_s):
        return  # said of each link that has no timeout
    told = " + ".join(f"{name} {_s(timeout_s)}" for name, timeout_s in steps)
    if policy.deadline is None:
        yield from _nobody_waits(policy, told, sum_s)
        return
    left_s = usable_s(policy, STEPS[0])
    if 0 < left_s < sum_s:
        message = (
            f"POST /reserve: {told} = {_s(sum_s)}, and reservations has {_s(left_s)} for them (deadline "
            f"{_s(policy.deadline.total_s)} less 2 margins of {_s(policy.deadline.margin_s)}). If each takes "
            f"as long as it may: {_walk(steps, left_s)}"
        )
        mend = (
            f"raise deadline.total_s to {_s(policy.deadline.total_s + sum_s - left_s)}, or lower the steps' "
            "timeouts; or leave it, if the deadline is meant to cap them"
        )
        yield BudgetFinding(
            WARNING, "steps_exceed_deadline", "reservations", "deadline.total_s", message, mend
        )


def _walk(steps: list[tuple[str, float]], left_s: float) -> str:
    told = []
    for name, timeout_s in steps:
        if left_s <= 0:
            told.append(f"{name} is never called")
        elif left_s < timeout_s:
            told.append(f"{name} is cut to {_s(left_s)} (`deadline`, not `timeout`)")
        else:
            told.append(f"{name} has its {_s(timeout_s)}")
        left_s -= timeout_s
    return ", ".join(told)


def _nobody_waits(policy: Policy, told: str, sum_s: float) -> Iterator[BudgetFinding]:
    timeout_s = policy.links.gateway_reservations.timeout_s
    if timeout_s is not None and timeout_s < sum_s:
        where = "links.gateway-reservations.timeout_s"
        message = (
            f"without a deadline the gateway gives up after {_s(timeout_s)}, while reservations goes on "
            f"for up to {told} = {_s(sum_s)}: work that nobody waits for"
        )
        mend = f"switch the deadline on, or raise this timeout above {_s(sum_s)}"
        yield BudgetFinding(WARNING, "work_nobody_waits_for", "gateway", where, message, mend)


def _timeout(policy: Policy, link: str, section: LinkPolicy) -> Iterator[BudgetFinding]:
    where, left_s = f"links.{link}.timeout_s", usable_s(policy, link)
    uncounted = "; its breaker does not count that" if section.breaker is not None else ""
    if section.timeout_s is None and math.isinf(left_s):
        message = "neither a timeout nor a deadline: a call over this link may wait for ever"
        mend = "set this timeout, or switch the deadline on"
        yield _link_found(ERROR, "unbounded", link, where, message, mend)
    elif section.timeout_s is None:
        message = f"no timeout: a slow call ends with the deadline ({_s(left_s)}) alone{uncounted}"
        mend = f"set this timeout below {_s(left_s)}"
        yield _link_found(WARNING, "only_the_deadline", link, where, message, mend)
    elif section.timeout_s > left_s > 0:
        severity = WARNING if section.breaker is not None else INFO
        message = (
            f"this timeout ({_s(section.timeout_s)}) can never fire: the deadline leaves {_s(left_s)}, "
            f"so a slow call is always `deadline`{uncounted}"
        )
        mend = f"lower it to {_s(left_s)} at most, or raise deadline.total_s"
        yield _link_found(severity, "timeout_never_fires", link, where, message, mend)


def _attempts(policy: Policy, link: str, section: LinkPolicy) -> Iterator[BudgetFinding]:
    """Compare what all attempts and pauses take with what the deadline leaves them."""
    retry, left_s = section.retry, usable_s(policy, link)
    if retry is None or left_s <= 0:
        return
    where = f"links.{link}.retry.attempts"
    for attempt in range(2, retry.attempts + 1):
        if pauses_s(retry, attempt, longest=False) >= left_s:
            message = (
                f"attempt {attempt} can never be made: the pauses before it take at least "
                f"{_s(pauses_s(retry, attempt, longest=False))}, and the deadline leaves {_s(left_s)}"
            )
            mend = f"write {attempt - 1} attempts, or a shorter backoff"
            yield _link_found(ERROR, "attempt_never_made", link, where, message, mend)
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
        mend = "lower the timeout or the attempts, or raise deadline.total_s"
        yield _link_found(WARNING, "attempt_not_reached", link, where, message, mend)
    elif worst_s > left_s:
        message = (
            f"{number} attempts of {_s(timeout_s)} and their pauses take up to {_s(worst_s)}, and the deadline "
            f"leaves {_s(left_s)}: an attempt that follows slow ones is cut short, or not made"
        )
        mend = f"raise deadline.total_s by {_s(worst_s - left_s)}, or accept it: slow failures get fewer attempts"
        yield _link_found(WARNING, "attempts_exceed_deadline", link, where, message, mend)


def _breaker(link: str, section: LinkPolicy) -> Iterator[BudgetFinding]:
    if section.breaker is None:
        return
    where, reset_s = f"links.{link}.breaker.reset_s", section.breaker.reset_s
    if section.timeout_s is not None and reset_s < section.timeout_s:
        message = (
            f"the breaker tries again after {_s(reset_s)}, before the calls that opened it have all timed out "
            f"({_s(section.timeout_s)}): a slow callee gets no rest"
        )
        mend = f"raise it to {_s(section.timeout_s)} at least"
        yield _link_found(WARNING, "reset_before_timeout", link, where, message, mend)


def _resets(policy: Policy) -> Iterator[BudgetFinding]:
    """Tell once for all links that share a reset: no request sees its breaker close again."""
    outlasting: dict[float, list[str]] = {}
    for link, section in links_of(policy).items():
        breaker = section.breaker if isinstance(section, LinkPolicy) else None
        if breaker is not None and breaker.reset_s >= usable_s(policy, link):
            outlasting.setdefault(breaker.reset_s, []).append(link)
    for reset_s, links in outlasting.items():
        message = (
            f"an open breaker tries again after {_s(reset_s)}, and no request lives that long: who meets it "
            f"open is refused for good, and told in Retry-After when to come back ({', '.join(links)})"
        )
        mend = "nothing, unless a request shall outlast an open breaker"
        where = f"links.{links[0]}.breaker.reset_s"
        yield _link_found(INFO, "reset_outlasts_request", links[0], where, message, mend)


def _database(policy: Policy, link: str, section: LinkPolicy) -> Iterator[BudgetFinding]:
    """Compare one statement of the callee with the time that its caller waits."""
    callee, database = callee_of(link), policy.database
    if f"{callee}-db" not in links_of(policy):
        return
    waits_s = min(_timeout_of(section), usable_s(policy, link))
    one_s = database.acquire_s + database.statement_s
    if one_s >= waits_s > 0:
        message = (
            f"{callee} waits {_s(database.acquire_s)} for a connection and {_s(database.statement_s)} for a "
            f"statement, and its caller over {link} gives up after {_s(waits_s)}: it reads `timeout`, which is "
            "indefinite, where the callee would have named its database"
        )
        mend = f"lower acquire_s + statement_s below {_s(waits_s)}"
        yield BudgetFinding(
            WARNING, "database_outlasts_step", callee, "database.statement_s", message, mend
        )


def _confirmation(policy: Policy) -> Iterator[BudgetFinding]:
    """What writing CONFIRMED may take: a charged reservation is not given up for the deadline."""
    section: DatabaseLinkPolicy = policy.links.reservations_db
    if section.retry is None:
        return
    attempts, where = section.retry.attempts, "links.reservations-db.retry.attempts"
    one_s = policy.database.acquire_s + policy.database.statement_s
    worst_s = attempts * one_s + pauses_s(section.retry, attempts, longest=True)
    told = (
        f"writing CONFIRMED takes up to {attempts} times {_s(one_s)} and the pauses, {_s(worst_s)}"
    )
    if worst_s >= LEASE_S:
        message = (
            f"{told}, longer than the saga's lease ({_s(LEASE_S)}): another worker takes it over"
        )
        mend = "lower the attempts or the database's limits"
        yield BudgetFinding(
            ERROR, "confirmation_outlasts_lease", "reservations", where, message, mend
        )
    elif policy.deadline is not None:
        message = f"{told}, whatever the deadline says: a charge is not given up for being late"
        mend = "nothing: the client reads 504, not definite, and asks for the reservation later"
        yield BudgetFinding(
            INFO, "confirmation_has_no_deadline", "reservations", where, message, mend
        )


def _timeout_of(section: LinkPolicy | DatabaseLinkPolicy) -> float:
    timeout_s = section.timeout_s if isinstance(section, LinkPolicy) else None
    return math.inf if timeout_s is None else timeout_s


def _link_found(
    severity: Severity, rule: str, link: str, where: str, message: str, mend: str
) -> BudgetFinding:
    return BudgetFinding(severity, rule, caller_of(link), where, message, mend)
