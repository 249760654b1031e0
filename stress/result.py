"""What a storm came to: counted from the ledger and the final tables, judged, and told."""

from collections.abc import Sequence
from dataclasses import dataclass

from aguante.measure.measures import InvariantMeasure
from aguante.measure.run_evidence import RunEvidence
from aguante.run_folder.events import Settled
from stress.audit import Audit
from stress.chaos import Damage
from stress.client import Reading
from stress.customers import Customers

_ORDERS = """
WITH asked AS (
    SELECT idempotency_key AS key, bool_or(status = 200) AS acknowledged,
           bool_or(mechanism = 'payment_declined') AS declined, bool_or(mechanism = 'sold_out') AS sold_out,
           bool_or(status <> 200 AND NOT definite) AS doubtful
    FROM client.requests WHERE operation = 'reserve' GROUP BY ALL),
stored AS (
    SELECT idempotency_key AS key, bool_or(state = 'CONFIRMED') AS confirmed
    FROM reservations.sagas GROUP BY ALL)
SELECT CASE WHEN acknowledged THEN 'acknowledged' WHEN declined THEN 'declined'
            WHEN sold_out THEN 'sold out' WHEN doubtful AND coalesce(confirmed, false) THEN 'unknown, then confirmed'
            WHEN doubtful THEN 'unknown, then failed' ELSE 'failed for sure' END AS outcome, count(*)
FROM asked LEFT JOIN stored USING (key) GROUP BY ALL"""

_STATES = """
SELECT 'sagas', state, count(*) FROM reservations.sagas GROUP BY ALL
UNION ALL SELECT 'charges', state, count(*) FROM payments.charges GROUP BY ALL
UNION ALL SELECT 'allocations', state, count(*) FROM inventory.allocations GROUP BY ALL"""

_TAKEN_OVER = (
    "SELECT DISTINCT reservation_id FROM reservations.saga_log WHERE reason = 'lease taken over'"
)
_REPEATED = """
SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM client.requests
WHERE operation = 'reserve' AND status = 200 GROUP BY idempotency_key)"""
_FINAL = "SELECT reservation_id, state FROM reservations.sagas"

OUTCOMES = (
    "acknowledged",
    "declined",
    "sold out",
    "failed for sure",
    "unknown, then confirmed",
    "unknown, then failed",
)


@dataclass(frozen=True)
class Tally:
    """The storm in numbers."""

    outcomes: dict[str, int]
    """Orders by what their customer was told, of OUTCOMES."""
    states: dict[tuple[str, str], int]
    """(table, state) -> rows at the end."""
    requests: int
    repeated: int
    """200s beyond the first for a key."""
    recovered: int
    """Sagas that a lost owner left and recovery took over."""
    toxics: int
    kills: int
    between: int
    """Kills that fell between pay and confirm, by the durable log: what they left there was taken over."""

    @property
    def orders(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())


@dataclass(frozen=True)
class Result:
    """The end of a storm."""

    seed: int
    tally: Tally
    settled: Settled
    invariants: Audit
    """Of the testbed, and what the answers themselves say."""
    objections: tuple[str, ...]
    """Why it is not good; empty when it is."""


def count(evidence: RunEvidence, damage: Damage) -> Tally:
    """Count what happened."""
    found: dict[str, int] = dict(evidence.connection.sql(_ORDERS).fetchall())
    taken_over = {row[0] for row in evidence.rows(_TAKEN_OVER)}
    return Tally(
        outcomes={name: found.get(name, 0) for name in OUTCOMES},
        states={(table, state): rows for table, state, rows in evidence.rows(_STATES)},
        requests=evidence.row("SELECT count(*) FROM client.requests")[0],
        repeated=int(evidence.row(_REPEATED)[0]),
        recovered=len(taken_over),
        toxics=len(damage.toxics),
        kills=len(damage.kills),
        between=sum(bool(kill.caught & taken_over) for kill in damage.kills),
    )


def answers_agree(customers: Customers) -> InvariantMeasure:
    """That no customer was told two things that cannot both be true, in an invariant's form."""
    found = customers.contradictions
    rows = tuple((each.key, each.reservation_id, each.said) for each in found)
    return InvariantMeasure(
        name="answers_agree",
        exposure=customers.comparisons,
        violations=len(rows),
        columns=("idempotency_key", "reservation_id", "said"),
        rows=rows[:20],
    )


def reads_tell_the_end(evidence: RunEvidence, readings: Sequence[Reading]) -> InvariantMeasure:
    """That what became of a reservation can be asked for: a read says what is stored, and that is final."""
    stored: dict[str, str] = dict(evidence.rows(_FINAL))
    rows = tuple(
        (reading.record.reservation_id, str(reading.record.status), reading.state, want)
        for reading in readings
        if reading.state != (want := stored.get(reading.record.reservation_id, ""))
    )
    return InvariantMeasure(
        name="reads_tell_the_end",
        exposure=len(readings),
        violations=len(rows),
        columns=("reservation_id", "status", "told", "stored"),
        rows=rows[:20],
    )


def objections(tally: Tally, settled: Settled, invariants: Audit, wanted: int) -> tuple[str, ...]:
    """Why a storm is not good: broken invariants, ones that were not tried, too few kills at the moment."""
    said = [
        f"{each.name}: {each.error or f'{each.violations} violations'}"
        for each in invariants
        if each.violations or each.error
    ]
    said += [f"{each.name} was tried on nothing" for each in invariants if not each.exposure]
    if not settled.settled:
        said.append(f"not settled in {settled.took_s:.1f} s: {settled.unsettled} sagas under way")
    if tally.between < wanted:
        said.append(f"only {tally.between} of {wanted} kills fell between pay and confirm")
    return tuple(said)
