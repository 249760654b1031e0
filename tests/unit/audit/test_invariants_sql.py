"""Every invariant of testbed.yaml holds in a consistent shop, and finds the damage that it is meant to find."""

import threading
from collections.abc import Iterator

import duckdb
import pytest
from audit_harness import shop_in_order

from aguante.measure.audit.invariants import check_invariant
from aguante.measure.measures import InvariantMeasure
from aguante.testbed.testbed_spec import TestbedSpec
from services.reservations.domain import PRICE_CENTS_PER_SEAT, TERMINAL
from services.shop.budget import LEASE_S


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with shop_in_order() as connection:
        yield connection


def checked(db: duckdb.DuckDBPyConnection, shop: TestbedSpec) -> dict[str, InvariantMeasure]:
    return {each.name: check_invariant(db, each) for each in shop.invariants}


def test_every_invariant_holds_and_is_tested_in_a_consistent_shop(
    db: duckdb.DuckDBPyConnection, shop: TestbedSpec
) -> None:
    """The shop has a retry, a recovery, a compensation and a rejected sale."""
    for name, measure in checked(db, shop).items():
        assert (measure.violations, measure.error) == (0, ""), name
        assert measure.exposure > 0, name


BREAKS = [
    ("seats_add_up", "UPDATE inventory.events SET available = 8 WHERE capacity = 10", "concert"),
    (
        "seats_add_up",  # oversold, and the count of what is left agrees
        """UPDATE inventory.events SET capacity = 2, available = -1 WHERE event_id = 'concert'""",
        "concert",
    ),
    (
        "confirmed_has_one_allocation",
        "DELETE FROM inventory.allocations WHERE state = 'ALLOCATED' "
        "AND reservation_id = 'late'; UPDATE inventory.events SET available = available + 1 "
        "WHERE event_id = 'concert'",
        "late",
    ),
    (
        "confirmed_has_one_allocation",
        "UPDATE inventory.allocations SET quantity = 1 "
        "WHERE reservation_id = 'good'; UPDATE inventory.events SET available = 8 WHERE capacity = 10",
        "good",
    ),
    (
        "confirmed_has_one_allocation",
        "UPDATE inventory.allocations SET event_id = 'empty' "
        "WHERE reservation_id = 'late'; UPDATE inventory.events SET available = CASE event_id "
        "WHEN 'concert' THEN 8 ELSE 4 END",
        "late",
    ),
    (
        "confirmed_has_one_allocation",
        "INSERT INTO inventory.allocations SELECT * FROM "
        "inventory.allocations WHERE reservation_id = 'late'; UPDATE inventory.events SET available = 6 "
        "WHERE capacity = 10",
        "late",
    ),
    (
        "confirmed_has_one_charge",
        "DELETE FROM payments.charges WHERE reservation_id = 'good'",
        "good",
    ),
    (
        "confirmed_has_one_charge",
        "UPDATE payments.charges SET state = 'REFUNDED' WHERE reservation_id = 'good'",
        "good",
    ),
    (
        "confirmed_has_one_charge",
        "INSERT INTO payments.charges SELECT * FROM payments.charges WHERE reservation_id = 'good'",
        "good",
    ),
    (
        "no_stray_charge",
        "INSERT INTO payments.charges BY NAME SELECT 'stray' AS reservation_id, "
        "2500 AS amount_cents, 'CAPTURED' AS state",
        "stray",
    ),
    (
        "no_stray_charge",
        "UPDATE payments.charges SET state = 'CAPTURED' WHERE reservation_id = 'back'",
        "back",
    ),
    (
        "no_orphan_allocation",
        "UPDATE inventory.allocations SET state = 'ALLOCATED' "
        "WHERE reservation_id = 'back'; UPDATE inventory.events SET available = 6 WHERE capacity = 10",
        "back",
    ),
    (
        "no_orphan_allocation",
        "INSERT INTO inventory.allocations BY NAME SELECT 'orphan' AS "
        "reservation_id, 'empty' AS event_id, 1 AS quantity, 'ALLOCATED' AS state; UPDATE inventory.events "
        "SET available = 4 WHERE event_id = 'empty'",
        "orphan",
    ),
    (
        "acknowledged_is_kept",
        "UPDATE client.requests SET status = 200 WHERE reservation_id = 'back'",
        "back",
    ),
    (
        "acknowledged_is_kept",
        "UPDATE client.requests SET reservation_id = 'lost' WHERE status = 200",
        "lost",
    ),
    (
        "definite_failure_never_confirmed",
        "UPDATE client.requests SET definite = true WHERE reservation_id = 'late'",
        "late",
    ),
    (
        "definite_failure_never_confirmed",
        "UPDATE client.requests SET idempotency_key = 'key-2', seq = 77 "
        "WHERE seq = 4; DELETE FROM client.requests WHERE seq = 1",
        "late",
    ),
    (
        "one_confirmed_per_key",
        "UPDATE reservations.sagas SET idempotency_key = 'key-1' WHERE reservation_id = 'late'",
        "key-1",
    ),
    (
        "charge_is_the_price",
        "UPDATE payments.charges SET amount_cents = 2500 WHERE reservation_id = 'good'",
        "good",
    ),
    (
        "charge_is_the_price",
        "UPDATE payments.charges SET user_id = 'bob' WHERE reservation_id = 'good'",
        "good",
    ),
    (
        "charge_is_the_price",
        "UPDATE payments.charges SET amount_cents = NULL WHERE reservation_id = 'back'",
        "back",
    ),
    (
        "notices_match_confirmed",
        "DELETE FROM reservations.outbox WHERE reservation_id = 'late'",
        "late",
    ),
    (
        "notices_match_confirmed",
        "UPDATE reservations.outbox SET delivered_at = NULL WHERE reservation_id = 'good'",
        "good",
    ),
    (
        "notices_match_confirmed",
        "INSERT INTO reservations.outbox BY NAME SELECT 'back' AS reservation_id",
        "back",
    ),
    (
        "notices_match_confirmed",
        "INSERT INTO reservations.outbox BY NAME SELECT 'ghost' AS reservation_id",
        "ghost",
    ),
    (
        "saga_log_is_whole",
        "DELETE FROM reservations.saga_log WHERE reservation_id = 'good' AND version = 2",
        "good",
    ),
    (
        "saga_log_is_whole",
        "DELETE FROM reservations.saga_log WHERE reservation_id = 'good' AND version = 4",
        "good",
    ),
    (
        "saga_log_is_whole",
        "DELETE FROM reservations.saga_log WHERE reservation_id = 'live'",
        "live",
    ),
    (
        "saga_log_is_whole",
        "DELETE FROM reservations.saga_log WHERE reservation_id = 'good' AND version = 1",
        "good",
    ),
    (
        "saga_log_is_whole",
        "UPDATE reservations.saga_log SET from_state = 'PENDING' "
        "WHERE reservation_id = 'good' AND version = 3",
        "good",
    ),
    (
        "saga_log_is_whole",
        "UPDATE reservations.saga_log SET to_state = 'COMPENSATED' "
        "WHERE reservation_id = 'late' AND version = 5",
        "late",
    ),
    (
        "saga_log_is_whole",
        "INSERT INTO reservations.saga_log BY NAME SELECT 'gone' AS reservation_id, "
        "1 AS version, 'PENDING' AS to_state",
        "gone",
    ),
    (
        "saga_log_is_whole",
        "INSERT INTO reservations.saga_log BY NAME SELECT 'back' AS reservation_id, "
        "5 AS version, 'COMPENSATED' AS from_state, 'COMPENSATING' AS to_state; INSERT INTO "
        "reservations.saga_log BY NAME SELECT 'back' AS reservation_id, 6 AS version, 'COMPENSATING' AS "
        "from_state, 'COMPENSATED' AS to_state; UPDATE reservations.sagas SET version = 6 "
        "WHERE reservation_id = 'back'",
        "back",
    ),
    (
        "saga_log_is_whole",
        "INSERT INTO reservations.saga_log SELECT * FROM reservations.saga_log "
        "WHERE reservation_id = 'good' AND version = 4",
        "good",
    ),
    (
        "no_saga_is_stuck",
        "UPDATE reservations.sagas SET lease_until = NULL WHERE reservation_id = 'live'",
        "live",
    ),
    (
        "no_saga_is_stuck",
        "UPDATE reservations.sagas SET lease_until = '2026-01-02 12:09:44+00' "
        "WHERE reservation_id = 'live'",
        "live",
    ),
    (
        "saga_log_is_whole",  # a step without a state change is missing, which the states do not show
        "DELETE FROM reservations.saga_log WHERE reservation_id = 'late' AND version = 4",
        "late",
    ),
    (
        "saga_log_is_whole",  # it was taken over, and nobody wrote it down
        "UPDATE reservations.sagas SET version = 2 WHERE reservation_id = 'live'",
        "live",
    ),
]


@pytest.mark.parametrize(
    ("name", "damage", "offender"),
    BREAKS,
    ids=[f"{at}-{each[0]}" for at, each in enumerate(BREAKS)],
)
def test_each_damage_violates_its_invariant(
    name: str, damage: str, offender: str, db: duckdb.DuckDBPyConnection, shop: TestbedSpec
) -> None:
    """Only the damaged reservation is listed."""
    db.execute(damage)
    measures = checked(db, shop)
    assert [each.error for each in measures.values() if each.error] == []
    found = measures[name]
    assert found.violations > 0
    assert all(offender in row for row in found.rows), found.rows
    others = {row for each in measures.values() for row in each.rows if offender not in row}
    assert others == set()


def test_every_invariant_has_a_damage(shop: TestbedSpec) -> None:
    """A new invariant in testbed.yaml needs a damage here that violates it."""
    assert {name for name, *_ in BREAKS} == {each.name for each in shop.invariants}


LARGE = """
INSERT INTO client.requests BY NAME SELECT i + 100 AS seq, 'reserve' AS operation, i % 3 = 0 AS definite,
    CASE WHEN i % 3 = 0 THEN 429 ELSE 200 END AS status, 'k' || i AS idempotency_key,
    CASE WHEN i % 3 = 0 THEN '' ELSE 'r' || i END AS reservation_id FROM range(300000) AS t(i);
INSERT INTO reservations.sagas BY NAME SELECT 'r' || i AS reservation_id, 'k' || i AS idempotency_key,
    'u' AS user_id, 'e' AS event_id, 1 AS quantity, 'CONFIRMED' AS state, 1 AS version
    FROM range(300000) AS t(i) WHERE i % 3 <> 0;
"""


def test_a_large_ledger_is_checked_in_seconds(
    db: duckdb.DuckDBPyConnection, shop: TestbedSpec
) -> None:
    """300,000 requests with a third of definite failures need no quadratic join and do not hang DuckDB."""
    db.execute(LARGE)
    watchdog = threading.Timer(20, db.interrupt)
    watchdog.start()
    try:
        by_name = {each.name: each for each in shop.invariants}
        for name in ("acknowledged_is_kept", "definite_failure_never_confirmed"):
            measure = check_invariant(db, by_name[name])
            assert (measure.violations, measure.error) == (0, ""), name
            assert measure.exposure > 100_000
    finally:
        watchdog.cancel()


def test_a_key_that_was_sent_again_may_have_been_confirmed(
    db: duckdb.DuckDBPyConnection, shop: TestbedSpec
) -> None:
    """A 429 stores nothing, so the same key may be sent again."""
    keys = "SELECT status, definite FROM client.requests WHERE idempotency_key = 'key-1' ORDER BY 1"
    assert db.execute(keys).fetchall() == [(200, False), (429, True)]
    assert checked(db, shop)["definite_failure_never_confirmed"].violations == 0


def test_a_lease_that_has_just_expired_is_no_violation(
    db: duckdb.DuckDBPyConnection, shop: TestbedSpec
) -> None:
    """The worker looks once a second and may be busy, so it has as long as the lease lasts."""
    db.execute(
        "UPDATE reservations.sagas SET lease_until = '2026-01-02 12:09:46+00' WHERE state = 'PENDING'"
    )
    assert checked(db, shop)["no_saga_is_stuck"].violations == 0


def test_constants_in_the_sql_equal_those_of_the_services(shop: TestbedSpec) -> None:
    """SQL cannot import price, lease and final states."""
    text = {each.name: each.sql.read_text(encoding="utf-8") for each in shop.invariants}
    assert f"quantity * {PRICE_CENTS_PER_SEAT}" in text["charge_is_the_price"]
    assert f"> {LEASE_S * 1000}" in text["no_saga_is_stuck"]
    final = ", ".join(f"'{state}'" for state in ("CONFIRMED", "COMPENSATED", "ABORTED"))
    assert {"CONFIRMED", "COMPENSATED", "ABORTED"} == set(TERMINAL)
    assert text["no_saga_is_stuck"].count(final) == 2
    assert final in text["saga_log_is_whole"]
    assert final in shop.settle.query.read_text(encoding="utf-8")
