"""The result of a storm: counted from the ledger and the final tables, and judged."""

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
    """The number of orders by the outcome that their customer saw, one of OUTCOMES."""
    states: dict[tuple[str, str], int]
    """(table, state) -> rows at the end."""
    requests: int
    repeated: int
    """Responses of 200 beyond the first for a key."""
    recovered: int
    """Sagas whose owner was lost and that recovery took over."""
    toxics: int
    kills: int
    between: int
    """Kills between pay and confirm, by the durable log: recovery took over a saga that the kill left."""

    @property
    def orders(self) -> int:
        """The number of all orders."""
        return sum(self.outcomes.values())


@dataclass(frozen=True)
class Result:
    """The judged result of a storm."""

    seed: int
    tally: Tally
    settled: Settled
    invariants: Audit
    """The testbed's invariants and the two checks of the responses."""
    objections: tuple[str, ...]
    """Why the storm failed; empty when it held."""


def count(evidence: RunEvidence, damage: Damage) -> Tally:
    """Count orders, final states and faults."""
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
    """An invariant over responses: no customer got two that contradict each other."""
    found = customers.contradictions
    rows = tuple((each.key, each.reservation_id, each.text) for each in found)
    return InvariantMeasure(
        name="answers_agree",
        exposure=customers.comparisons,
        violations=len(rows),
        columns=("idempotency_key", "reservation_id", "contradiction"),
        rows=rows[:20],
    )


def reads_match_the_end(evidence: RunEvidence, readings: Sequence[Reading]) -> InvariantMeasure:
    """An invariant over reads: each returns the stored state, which is final."""
    stored: dict[str, str] = dict(evidence.rows(_FINAL))
    rows = tuple(
        (reading.record.reservation_id, str(reading.record.status), reading.state, want)
        for reading in readings
        if reading.state != (want := stored.get(reading.record.reservation_id, ""))
    )
    return InvariantMeasure(
        name="reads_match_the_end",
        exposure=len(readings),
        violations=len(rows),
        columns=("reservation_id", "status", "read", "stored"),
        rows=rows[:20],
    )


def objections(tally: Tally, settled: Settled, invariants: Audit, wanted: int) -> tuple[str, ...]:
    """Why a storm fails: a broken or unchecked invariant, a system that does not settle, or too few kills."""
    found = [
        f"{each.name}: {each.error or f'{each.violations} violations'}"
        for each in invariants
        if each.violations or each.error
    ]
    found += [f"{each.name} was checked on no rows" for each in invariants if not each.exposure]
    if not settled.settled:
        found.append(f"not settled in {settled.took_s:.1f} s: {settled.unsettled} sagas under way")
    if tally.between < wanted:
        found.append(f"only {tally.between} of {wanted} kills were between pay and confirm")
    return tuple(found)
