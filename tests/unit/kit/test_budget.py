"""The timeout budget by worked examples: each begins with the default policy and changes one thing."""

import math
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from aguante.plan.plan import PlannedLoad
from services.kit.failures.problem import Mechanism
from services.kit.policy.sections import (
    BreakerPolicy,
    DeadlinePolicy,
    ExponentialBackoff,
    FixedBackoff,
    FullJitterBackoff,
    RetryPolicy,
    links_of,
)
from services.shop.budget import CLIENT_TIMEOUT_S, check
from services.shop.budget_model import BudgetFinding, Severity, pauses_s, seconds, usable_s
from services.shop.links import STEPS
from services.shop.policy import Policy, load_policy

ROOT = Path(__file__).parents[3]
DEFAULT = load_policy(ROOT / "policies" / "default.yaml")
PAYMENTS = "reservations-payments"


def retry(attempts: int, *on: Mechanism, pause_ms: float = 0) -> RetryPolicy:
    return RetryPolicy(
        attempts=attempts, on=on, backoff=FixedBackoff(pause_ms=pause_ms), budget=None
    )


def with_link(link: str, policy: Policy = DEFAULT, **changes: Any) -> Policy:
    section = replace(links_of(policy)[link], **changes)
    return replace(policy, links=replace(policy.links, **{link.replace("-", "_"): section}))


def found(policy: Policy, rule: str, where: str = "") -> BudgetFinding:
    (only,) = [f for f in check(policy) if f.rule == rule and f.where.startswith(where)]
    return only


def rules(policy: Policy) -> set[tuple[str, str]]:
    return {(f.rule, f.where) for f in check(policy)}


def test_default_has_2_3_2_seconds_under_a_deadline_of_5() -> None:
    """The first finding: reservations has 4.6 s for 7 s of steps, so payments is cut to 2.6 s, the notice not sent."""
    finding = check(DEFAULT)[0]
    assert (finding.rule, finding.severity) == ("steps_exceed_deadline", Severity.WARNING)
    assert finding.message == (
        "POST /reserve: inventory 2 s + payments 3 s + notifications 2 s = 7 s, and reservations has 4.6 s for "
        "them (deadline 5 s less 2 margins of 0.2 s). If each takes as long as it may: inventory has its 2 s, "
        "payments is cut to 2.6 s (`deadline`, not `timeout`), notifications is never called"
    )
    assert finding.fix.startswith("raise deadline.total_s to 7.4 s")


def test_a_deadline_that_is_long_enough_caps_nothing() -> None:
    """The finding's own advice, taken exactly: no step is cut short any more (and the client is gone first)."""
    enough = replace(DEFAULT, deadline=DeadlinePolicy(total_s=7.4, margin_s=0.2))
    assert "steps_exceed_deadline" not in {rule for rule, _ in rules(enough)}
    nearly = replace(DEFAULT, deadline=DeadlinePolicy(total_s=7.39, margin_s=0.2))
    assert "notifications is cut to 1.99 s" in found(nearly, "steps_exceed_deadline").message


def test_a_hop_keeps_a_margin_and_takes_its_callers_off() -> None:
    """5 s and margins of 0.2 s: the gateway's calls have 4.8 s, those of reservations 4.6 s; without, no end."""
    assert usable_s(DEFAULT, "gateway-reservations") == pytest.approx(4.8)
    assert usable_s(DEFAULT, PAYMENTS) == pytest.approx(4.6)
    assert usable_s(replace(DEFAULT, deadline=None), PAYMENTS) == math.inf


@pytest.mark.parametrize(
    ("backoff", "shortest_s", "longest_s"),
    [
        (FixedBackoff(pause_ms=70), 0.21, 0.21),
        (ExponentialBackoff(first_ms=50, max_ms=150), 0.3, 0.3),
        (FullJitterBackoff(first_ms=50, max_ms=150), 0, 0.3),
    ],
)
def test_pauses_add_up(backoff: Any, shortest_s: float, longest_s: float) -> None:
    """Before the fourth attempt: 3 x 70 ms; 50 + 100 + 150 ms; and with full jitter between nothing and that."""
    four = RetryPolicy(attempts=4, on=(Mechanism.TIMEOUT,), backoff=backoff, budget=None)
    assert pauses_s(four, 4, longest=False) == pytest.approx(shortest_s)
    assert pauses_s(four, 4, longest=True) == pytest.approx(longest_s)


def test_two_attempts_of_three_seconds_do_not_fit() -> None:
    """Payments: 2 x 3 s and a pause of up to 50 ms are 6.05 s, and 4.6 s are there; inventory's 4.05 s fit."""
    finding = found(DEFAULT, "attempts_exceed_deadline")
    assert finding.where == f"links.{PAYMENTS}.retry.attempts"
    assert "take up to 6.05 s, and the deadline leaves 4.6 s" in finding.message
    assert "raise deadline.total_s by 1.45 s" in finding.fix


def test_an_attempt_behind_pauses_longer_than_the_deadline_can_never_be_made() -> None:
    """Pauses of 2.4 s: attempt 3 would start after 4.8 s at the earliest, and 4.6 s are there."""
    changed = with_link(PAYMENTS, retry=retry(3, Mechanism.CONNECT_REFUSED, pause_ms=2400))
    finding = found(changed, "attempt_never_made")
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith(
        "attempt 3 can never be made: the pauses before it take at least 4.8 s"
    )
    assert finding.fix.startswith("write 2 attempts")


def test_an_attempt_behind_timeouts_can_never_be_reached() -> None:
    """3 attempts after timeouts of 3 s: the third would begin after 6 s, and 4.6 s are there."""
    changed = with_link(PAYMENTS, retry=retry(3, Mechanism.TIMEOUT))
    message = found(changed, "attempt_not_reached").message
    assert "2 of 3 s and the pauses take 6 s, and the deadline leaves 4.6 s" in message
    fits = with_link(PAYMENTS, timeout_s=1.5, retry=retry(3, Mechanism.TIMEOUT))
    assert not {rule for rule, _ in rules(fits)} & {
        "attempt_not_reached",
        "attempts_exceed_deadline",
    }


@pytest.mark.parametrize(
    ("breaker", "severity"),
    [(None, Severity.INFO), (BreakerPolicy(failures=5, reset_s=5), Severity.WARNING)],
)
def test_a_timeout_above_what_the_deadline_leaves_can_never_fire(
    breaker: BreakerPolicy | None, severity: Severity
) -> None:
    """5 s where 4.8 s are left is always `deadline`; worse where a breaker waits for timeouts to count."""
    finding = found(with_link("gateway-reservations", breaker=breaker), "timeout_never_fires")
    assert finding.severity is severity
    assert ("its breaker does not count that" in finding.message) is (breaker is not None)
    exact = with_link("gateway-reservations", timeout_s=4.8)
    assert "timeout_never_fires" not in {rule for rule, _ in rules(exact)}


def test_neither_timeout_nor_deadline_is_an_error() -> None:
    """Such a call may wait for ever; with a deadline it is a warning, since no breaker counts how it ends."""
    bare = with_link(PAYMENTS, timeout_s=None)
    assert found(bare, "only_the_deadline").severity is Severity.WARNING
    assert found(replace(bare, deadline=None), "unbounded").severity is Severity.ERROR


@pytest.mark.parametrize("total_s", [7.0, 8.0])
def test_a_client_that_gives_up_first_is_an_error(total_s: float) -> None:
    """With 7 s and more the client hangs up at its own 7 s and never reads the answer; 6.9 s are in time."""
    late = replace(DEFAULT, deadline=DeadlinePolicy(total_s=total_s, margin_s=0.2))
    assert found(late, "client_gives_up_first").severity is Severity.ERROR
    in_time = replace(DEFAULT, deadline=DeadlinePolicy(total_s=6.9, margin_s=0.2))
    assert "client_gives_up_first" not in {rule for rule, _ in rules(in_time)}


def test_without_a_deadline_the_gateways_timeout_is_what_the_client_waits_for() -> None:
    """8 s are too many for a client of 7 s, deadline or not."""
    late = with_link("gateway-reservations", replace(DEFAULT, deadline=None), timeout_s=8)
    where = "links.gateway-reservations.timeout_s"
    assert found(late, "client_gives_up_first").where == where


def test_without_a_deadline_work_goes_on_that_nobody_waits_for() -> None:
    """The gateway gives up after 5 s, reservations may go on for 7 s."""
    message = found(replace(DEFAULT, deadline=None), "work_nobody_waits_for").message
    assert "gives up after 5 s" in message
    assert message.endswith("= 7 s: work that nobody waits for")


def test_margins_that_use_up_the_deadline_are_an_error() -> None:
    """Two margins of 0.5 s of a deadline of 1 s leave reservations nothing to call anybody with."""
    spent = replace(DEFAULT, deadline=DeadlinePolicy(total_s=1, margin_s=0.5))
    assert found(spent, "margins_use_up_deadline").severity is Severity.ERROR
    left = replace(DEFAULT, deadline=DeadlinePolicy(total_s=1.1, margin_s=0.5))
    assert "margins_use_up_deadline" not in {rule for rule, _ in rules(left)}


def test_a_database_slower_than_its_caller_is_told_of_the_service_that_owns_it() -> None:
    """0.5 s for a connection and 1.5 s for a statement are the 2 s that inventory's callers wait."""
    slow = replace(DEFAULT, database=replace(DEFAULT.database, statement_s=1.5))
    findings = [f for f in check(slow) if f.rule == "database_outlasts_step"]
    assert {f.service for f in findings} == {"inventory"}
    assert len(findings) == 2
    assert "gives up after 2 s" in findings[0].message
    assert "database_outlasts_step" not in {rule for rule, _ in rules(DEFAULT)}


def test_a_confirmation_may_outlast_the_deadline_but_not_the_lease() -> None:
    """3 x 1.5 s and 150 ms are 4.65 s, meant so; 10 x 1.5 s are longer than the lease of 15 s."""
    assert (
        "3 times 1.5 s and the pauses, 4.65 s"
        in found(DEFAULT, "confirmation_has_no_deadline").message
    )
    ten = with_link("reservations-db", retry=retry(10, Mechanism.TIMEOUT))
    assert found(ten, "confirmation_outlasts_lease").severity is Severity.ERROR


def test_a_breaker_that_comes_back_before_the_timeouts_is_a_warning() -> None:
    """Open for 1 s while calls of 3 s are still under way: no rest for the callee."""
    hasty = with_link(PAYMENTS, breaker=BreakerPolicy(failures=5, reset_s=1))
    assert found(hasty, "reset_before_timeout").where == f"links.{PAYMENTS}.breaker.reset_s"


def test_no_request_sees_a_breaker_of_five_seconds_close() -> None:
    """Told once for all links that share the reset; a reset of 3 s is within a request's life."""
    message = found(DEFAULT, "reset_outlasts_request").message
    assert message.count("reservations-") == 3
    short = with_link(PAYMENTS, breaker=BreakerPolicy(failures=5, reset_s=3))
    assert PAYMENTS not in found(short, "reset_outlasts_request").message


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.yaml")), ids=lambda p: p.stem)
def test_no_policy_of_ours_has_an_error(path: Path) -> None:
    """Warnings are what the design accepts; an error would be a mistake in the policy."""
    assert [f for f in check(load_policy(path)) if f.severity is Severity.ERROR] == []


def test_what_the_budget_takes_for_granted_is_true() -> None:
    """The client's timeout, the saga's lease and the order of the steps are owned elsewhere."""
    # Read as text: Locust changes the standard library under whoever imports it.
    text = (ROOT / "loadtests" / "options.py").read_text(encoding="utf-8")
    assert f'"timeout-s", {CLIENT_TIMEOUT_S}, ' in text
    assert PlannedLoad.model_fields["timeout_s"].default == CLIENT_TIMEOUT_S
    assert set(STEPS) == {
        link for link in links_of(DEFAULT) if link.startswith("reservations-")
    } - {"reservations-db"}


def test_seconds_are_shown_without_noise() -> None:
    """2.6 s, not 2.5999999999999996 s."""
    assert [seconds(value) for value in (4.6 - 2, 7.0, 0.05)] == ["2.6 s", "7 s", "0.05 s"]
