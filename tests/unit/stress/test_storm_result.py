"""A storm is counted from its ledger and tables and judged by more than its invariants."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from aguante.load_protocol.records import RequestRecord
from aguante.run_folder.events import Settled
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import TestbedSpec
from stress.audit import Audit, audit, opened, violations
from stress.chaos import Damage, Kill
from stress.client import Client, Reading
from stress.customers import Contradiction, Customers
from stress.ledger import Ledger
from stress.report import report_text
from stress.result import Result, Tally, answers_agree, count, objections, reads_match_the_end

TABLES = {
    "reservations.sagas": {
        "reservation_id": "VARCHAR",
        "idempotency_key": "VARCHAR",
        "event_id": "VARCHAR",
        "quantity": "INTEGER",
        "state": "VARCHAR",
        "user_id": "VARCHAR",
        "version": "INTEGER",
        "lease_until": "TIMESTAMPTZ",
        "notification_sent": "BOOLEAN",
    },
    "reservations.saga_log": {
        "reservation_id": "VARCHAR",
        "reason": "VARCHAR",
        "version": "INTEGER",
        "from_state": "VARCHAR",
        "to_state": "VARCHAR",
    },
    "reservations.outbox": {
        "reservation_id": "VARCHAR",
        "attempts": "INTEGER",
        "delivered_at": "TIMESTAMPTZ",
    },
    "reservations._snapshot": {"taken_at": "TIMESTAMPTZ"},
    "inventory.events": {
        "event_id": "VARCHAR",
        "capacity": "INTEGER",
        "available": "INTEGER",
    },
    "inventory.allocations": {
        "reservation_id": "VARCHAR",
        "event_id": "VARCHAR",
        "quantity": "INTEGER",
        "state": "VARCHAR",
    },
    "payments.charges": {
        "reservation_id": "VARCHAR",
        "state": "VARCHAR",
        "user_id": "VARCHAR",
        "amount_cents": "BIGINT",
    },
}
THE_REST = {"reservations.sagas": ",u,1,,false", "payments.charges": ",u,2500"}
"""The columns at the end of every row of a table."""
GOOD_ROWS = {
    "reservations.sagas": ["r1,k1,e,1,CONFIRMED", "r2,k2,e,1,COMPENSATED", "r3,k3,e,1,CONFIRMED"],
    "reservations.saga_log": [
        "r1,confirmed,1,,CONFIRMED",
        "r2,lease taken over,1,,COMPENSATED",
        "r3,lease taken over,1,,CONFIRMED",
    ],
    "reservations.outbox": ["r1,0,", "r3,0,"],
    "reservations._snapshot": ["2026-01-02 12:00:00+00"],
    "inventory.events": ["e,10,8"],
    "inventory.allocations": ["r1,e,1,ALLOCATED", "r2,e,1,RELEASED", "r3,e,1,ALLOCATED"],
    "payments.charges": ["r1,CAPTURED", "r2,REFUNDED", "r3,CAPTURED"],
}
SETTLED = Settled(settled=True, took_s=2.0, unsettled=0)


@dataclass
class Sent:
    """The columns of a ledger row that are counted."""

    key: str
    status: int
    reservation_id: str = ""
    definite: bool = False
    mechanism: str = ""


LEDGER = (
    Sent("k1", 200, "r1"),
    Sent("k1", 200, "r1"),
    Sent("k2", 503, "r2", mechanism="disconnected"),
    Sent("k3", 0, mechanism="client_timeout"),
    Sent("k4", 402, "r4", definite=True, mechanism="payment_declined"),
    Sent("k5", 409, definite=True, mechanism="sold_out"),
    Sent("k6", 503, "r6", definite=True, mechanism="connect_refused"),
)


def folder_with(root: Path, rows: dict[str, list[str]], sent: Iterable[Sent] = LEDGER) -> RunFolder:
    folder = RunFolder.create(root, "storm")
    (folder.tables / "schema.json").write_text(json.dumps(TABLES))
    for table, columns in TABLES.items():
        lines = [",".join(columns), *(row + THE_REST.get(table, "") for row in rows[table]), ""]
        (folder.tables / f"{table}.csv").write_text("\n".join(lines))
    with Ledger(folder.records) as ledger:
        for seq, each in enumerate(sent):
            ledger.add(
                RequestRecord(
                    seq=seq,
                    operation="reserve",
                    intended_s=1.0,
                    started_s=1.0,
                    latency_ms=1.0,
                    status=each.status,
                    mechanism=each.mechanism,
                    definite=each.definite,
                    idempotency_key=each.key,
                    reservation_id=each.reservation_id,
                )
            )
    return folder


def tally_of(folder: RunFolder, shop: TestbedSpec, damage: Damage) -> Tally:
    with opened(shop, folder) as (evidence, _):
        return count(evidence, damage)


def test_orders_are_counted_by_the_outcome_their_customer_saw(
    tmp_path: Path, shop: TestbedSpec
) -> None:
    """One order has one outcome, whatever its number of attempts."""
    tally = tally_of(folder_with(tmp_path, GOOD_ROWS), shop, Damage())
    assert tally.outcomes == {
        "acknowledged": 1,
        "declined": 1,
        "sold out": 1,
        "failed for sure": 1,
        "unknown, then confirmed": 1,
        "unknown, then failed": 1,
    }
    assert (tally.orders, tally.requests, tally.repeated, tally.recovered) == (6, 7, 1, 2)
    assert tally.states["charges", "REFUNDED"] == 1


def test_only_kills_that_recovery_completed_count_as_between(
    tmp_path: Path, shop: TestbedSpec
) -> None:
    """The durable log decides: r1 was confirmed by its own process after all."""
    damage = Damage(
        kills=[
            Kill(1.0, "reservations", frozenset({"r1"})),
            Kill(2.0, "reservations", frozenset({"r2", "r1"})),
            Kill(3.0, "payments", frozenset()),
        ]
    )
    tally = tally_of(folder_with(tmp_path, GOOD_ROWS), shop, damage)
    assert (damage.between, tally.kills, tally.between) == (2, 3, 1)


def test_a_good_storm_breaks_no_invariant(tmp_path: Path, shop: TestbedSpec) -> None:
    """All are measured, and each had rows to check."""
    measures = audit(shop, folder_with(tmp_path, GOOD_ROWS))
    assert len(measures) == len(shop.invariants) >= 8
    assert violations(measures) == 0
    assert all(each.exposure for each in measures)


@pytest.mark.parametrize(
    ("table", "row", "broken"),
    [
        ("payments.charges", "r9,CAPTURED", "no_stray_charge"),
        ("inventory.allocations", "r2,e,0,ALLOCATED", "no_orphan_allocation"),
        ("reservations.sagas", "r9,k1,e,1,CONFIRMED", "one_confirmed_per_key"),
        ("inventory.events", "other,5,4", "seats_add_up"),
    ],
)
def test_a_row_that_breaks_an_invariant_is_an_objection(
    tmp_path: Path, shop: TestbedSpec, table: str, row: str, broken: str
) -> None:
    """The objection names the invariant, and the report shows the row."""
    rows = {**GOOD_ROWS, table: [*GOOD_ROWS[table], row]}
    folder = folder_with(tmp_path, rows)
    measures = audit(shop, folder)
    tally = tally_of(folder, shop, Damage())
    against = objections(tally, SETTLED, measures, 0)
    assert any(each.startswith(f"{broken}: ") for each in against)
    text = report_text(Result(42, tally, SETTLED, measures, against))
    assert "BROKEN: seed 42" in text
    assert row.split(",")[0] in text


def test_a_lost_acknowledgement_is_an_objection(tmp_path: Path, shop: TestbedSpec) -> None:
    """A 200 for a reservation that is not stored."""
    folder = folder_with(tmp_path, GOOD_ROWS, (*LEDGER, Sent("k9", 200, "r9")))
    broken = [each.name for each in audit(shop, folder) if each.violations]
    assert broken == ["acknowledged_is_kept"]


def test_a_storm_that_proves_too_little_fails(tmp_path: Path, shop: TestbedSpec) -> None:
    """Too few kills between pay and confirm, a system that did not settle, an invariant without rows to check."""
    folder = folder_with(tmp_path, GOOD_ROWS, LEDGER[2:])
    measures: Audit = audit(shop, folder)
    unsettled = Settled(settled=False, took_s=30.0, unsettled=3)
    against = objections(tally_of(folder, shop, Damage()), unsettled, measures, 50)
    assert against == (
        "acknowledged_is_kept was checked on no rows",
        "not settled in 30.0 s: 3 sagas under way",
        "only 0 of 50 kills were between pay and confirm",
    )


def test_contradictions_of_customers_are_reported_as_an_invariant(tmp_path: Path) -> None:
    """With the key, the reservation and both responses."""
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        customers = Customers(Client("http://nowhere", ledger), comparisons=3)
    customers.contradictions.append(
        Contradiction("k", "r", "acknowledged as r, then reported as s")
    )
    measure = answers_agree(customers)
    assert (measure.exposure, measure.violations) == (3, 1)
    assert measure.rows == (("k", "r", "acknowledged as r, then reported as s"),)


def test_a_read_that_differs_from_the_stored_state_is_reported(
    tmp_path: Path, shop: TestbedSpec
) -> None:
    """A read that failed is reported too."""
    folder = folder_with(tmp_path, GOOD_ROWS)
    with opened(shop, folder) as (evidence, _):
        measure = reads_match_the_end(
            evidence,
            [reading("r1", 200, "CONFIRMED"), reading("r2", 200, "RESERVED"), reading("r3", 503)],
        )
    assert (measure.exposure, measure.violations) == (3, 2)
    assert measure.rows == (
        ("r2", "200", "RESERVED", "COMPENSATED"),
        ("r3", "503", "", "CONFIRMED"),
    )


def reading(reservation_id: str, status: int, state: str = "") -> Reading:
    record = RequestRecord(
        seq=0,
        operation="read_reservation",
        intended_s=0,
        started_s=0,
        latency_ms=0,
        status=status,
        reservation_id=reservation_id,
    )
    return Reading(record, state)
