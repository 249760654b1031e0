"""What ``aguante reconcile`` lists: reservations that left the happy path, why, and their outcome."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from audit_harness import record, shop_in_order
from click.testing import CliRunner

from aguante.cli.commands.reconcile import reconcile_command, since_of
from aguante.measure.audit.sql_reports import Report, Since, run_report
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import TestbedSpec
from services.reservations import domain

Rows = dict[str, dict[str, str | None]]


def told(tmp_path: Path, shop: TestbedSpec, *changes: str, since: Since = None) -> Rows:
    """The report on the consistent shop after some changes: reservation -> column -> text."""
    with shop_in_order() as db:
        for change in changes:
            db.execute(change)
        folder = record(db, shop, RunFolder.create(tmp_path, "run"))
    (spec,) = shop.reports
    report = run_report("run", shop, spec, folder.tables, since)
    by_id = {str(row["reservation_id"]): row for row in report.rows}
    assert len(by_id) == len(report.rows)
    return by_id


def test_only_those_that_left_the_happy_path_are_listed(tmp_path: Path, shop: TestbedSpec) -> None:
    """Confirmed, rejected and pending reservations are not listed."""
    assert set(told(tmp_path, shop)) == {"back", "late"}


def test_a_compensation_is_listed_with_its_cause_and_what_was_returned(
    tmp_path: Path, shop: TestbedSpec
) -> None:
    """It names state, mechanism, link, and that the process itself compensated."""
    failure = (
        "UPDATE reservations.sagas SET failure_mechanism = 'timeout', "
        "failure_link = 'reservations-payments' WHERE reservation_id = 'back'"
    )
    end = (
        "UPDATE reservations.saga_log SET \"at\" = '2026-01-02 12:00:01.5+00' "
        "WHERE reservation_id = 'back' AND version = 4"
    )
    row = told(tmp_path, shop, failure, end)["back"]
    assert row == {
        "at": "2026-01-02 12:00:00+00",
        "reservation_id": "back",
        "outcome": "compensated",
        "stopped_in": "RESERVED",
        "because": "payment unknown",
        "mechanism": "timeout",
        "link": "reservations-payments",
        "seats": "released",
        "money": "refunded",
        "notice": None,
        "by": "inline",
        "took_s": "1.5",
        "story": "compensated from RESERVED: payment unknown (timeout on reservations-payments); "
        "seats released, money refunded; inline in 1.5 s",
    }


def test_a_confirmation_by_recovery_is_listed(tmp_path: Path, shop: TestbedSpec) -> None:
    """Nothing is returned; its notification, tried twice, is pending."""
    row = told(tmp_path, shop)["late"]
    assert (row["outcome"], row["because"]) == ("confirmed late", "owner lost after payment")
    assert (row["seats"], row["money"], row["notice"]) == ("held", "taken", "waiting")
    assert row["by"] == "recovery"


def test_a_compensation_that_recovery_finished_is_listed_as_such(
    tmp_path: Path, shop: TestbedSpec
) -> None:
    """The process itself decided to compensate, but did not finish in time."""
    later = (
        "UPDATE reservations.saga_log SET version = 5 WHERE reservation_id = 'back' AND version = 4"
    )
    taken = (
        "INSERT INTO reservations.saga_log BY NAME SELECT 'back' AS reservation_id, 4 AS version, "
        "'COMPENSATING' AS from_state, 'COMPENSATING' AS to_state, 'lease taken over' AS reason"
    )
    assert told(tmp_path, shop, later, taken)["back"]["by"] == "inline, then recovery"


def test_a_notification_that_was_sent_later_is_listed(tmp_path: Path, shop: TestbedSpec) -> None:
    """The reservation itself was confirmed directly."""
    change = "UPDATE reservations.outbox SET attempts = 1 WHERE reservation_id = 'good'"
    row = told(tmp_path, shop, change)["good"]
    assert (row["outcome"], row["notice"], row["by"]) == ("notified late", "sent later", "outbox")


@pytest.mark.parametrize(("age_s", "listed"), [(1, False), (3, True)])
def test_an_unsent_notification_is_listed_after_two_seconds(
    age_s: int, listed: bool, tmp_path: Path, shop: TestbedSpec
) -> None:
    """Before that it may be in progress."""
    change = (
        "UPDATE reservations.outbox SET delivered_at = NULL, attempts = 0, "  # noqa: S608
        f"created_at = '2026-01-02 12:09:{60 - age_s}+00' WHERE reservation_id = 'good'"
    )
    assert ("good" in told(tmp_path, shop, change)) is listed


def test_a_step_that_never_happened_is_listed_as_such(tmp_path: Path, shop: TestbedSpec) -> None:
    """It has a tombstone or no row."""
    void = "UPDATE inventory.allocations SET state = 'VOIDED' WHERE reservation_id = 'back'"
    gone = "DELETE FROM payments.charges WHERE reservation_id = 'back'"
    row = told(tmp_path, shop, void, gone)["back"]
    assert (row["seats"], row["money"]) == ("none taken", "none taken")


def test_without_compensation_nothing_was_returned(tmp_path: Path, shop: TestbedSpec) -> None:
    """This is the result of the policy no-compensation."""
    decision = domain.without_compensation(
        domain.advance(domain.State.RESERVED, domain.Outcome.INDEFINITE)
    )
    changes = (
        "UPDATE reservations.sagas SET state = 'ABORTED' WHERE reservation_id = 'back'",
        "DELETE FROM reservations.saga_log WHERE reservation_id = 'back' AND version = 4",
        f"UPDATE reservations.saga_log SET to_state = '{decision.to}', reason = '{decision.reason}' "  # noqa: S608
        "WHERE reservation_id = 'back' AND version = 3",
        "UPDATE payments.charges SET state = 'CAPTURED' WHERE reservation_id = 'back'",
    )
    row = told(tmp_path, shop, *changes)["back"]
    assert (row["outcome"], row["money"]) == ("nothing given back", "taken")


def test_the_sql_recognises_recovery_by_the_reasons_that_the_service_writes() -> None:
    """Every decision of recovery begins like this, and no other decision does."""
    lost = [domain.recover(state) for state in ("PENDING", "RESERVED", "CHARGED")]
    assert all(each and each.reason.startswith("owner lost") for each in lost)
    inline = [each.reason for each in domain._ADVANCE.values()]
    assert not [reason for reason in inline if reason.startswith("owner lost")]


@pytest.mark.parametrize(
    ("since", "listed"),
    [
        (timedelta(minutes=10), {"back", "late"}),
        (timedelta(minutes=9), set()),
        (datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC), {"back", "late"}),
        (datetime(2026, 1, 2, 12, 0, 1, tzinfo=UTC), set()),
    ],
)
def test_earlier_reservations_are_left_out(
    since: Since, listed: set[str], tmp_path: Path, shop: TestbedSpec
) -> None:
    """``since`` is a time, or a duration before the tables were read by the database's clock."""
    assert set(told(tmp_path, shop, since=since)) == listed


def test_missing_tables_are_an_error(tmp_path: Path, shop: TestbedSpec) -> None:
    """The message names the report and the file."""
    (spec,) = shop.reports
    with pytest.raises(EvidenceError, match=r"report reconcile: .*schema\.json"):
        run_report("run", shop, spec, tmp_path)


def command(*arguments: object) -> tuple[int, str]:
    with CliRunner().isolation() as (out, err, _):
        code = reconcile_command.main([str(each) for each in arguments], standalone_mode=False)
        return code, (out.getvalue() + err.getvalue()).decode()


@pytest.fixture
def recorded(tmp_path: Path, shop: TestbedSpec) -> RunFolder:
    with shop_in_order() as db:
        return record(db, shop, RunFolder.create(tmp_path, "run"))


def test_the_command_prints_one_line_for_each(recorded: RunFolder) -> None:
    """It prints the count; the exit code is always 0."""
    code, output = command("--run", recorded.root)
    assert code == 0
    title, *lines = output.splitlines()
    assert title == f"{recorded.root}: 2 reservations that left the happy path (times in UTC)"
    assert [line.split("  ")[:2] for line in lines] == [
        ["2026-01-02 12:00:00+00", "back"],
        ["2026-01-02 12:00:00+00", "late"],
    ]
    assert lines[1].endswith(
        "confirmed late from CHARGED: owner lost after payment; "
        "seats held, money taken, notice waiting; recovery in 0.0 s"
    )
    code, output = command("--run", recorded.root, "--since", "1s")
    assert (code, "0 reservations that left the happy path" in output) == (0, True)


def test_json_is_a_report(recorded: RunFolder) -> None:
    """It reads back as a Report."""
    code, output = command("--run", recorded.root, "--json")
    report = Report.model_validate_json(output)
    assert (code, report.name, len(report.rows)) == (0, "reconcile", 2)


def test_unreadable_tables_exit_4(recorded: RunFolder) -> None:
    """It prints one message."""
    (recorded.tables / "reservations.sagas.csv").unlink()
    code, output = command("--run", recorded.root)
    assert code == 4
    assert output.startswith("error: report reconcile: ")


@pytest.mark.parametrize("given", ["yesterday", "5d", "-5m", "5m ago"])
def test_an_invalid_time_is_wrong_usage(given: str) -> None:
    """The message shows it and what is expected."""
    option = next(each for each in reconcile_command.params if each.name == "since")
    with pytest.raises(click.BadParameter, match=r"90s, 2m or 1\.5h"):
        since_of(click.Context(reconcile_command), option, given)


@pytest.mark.parametrize(("given", "ago_s"), [("90s", 90), ("5", 5), ("1.5h", 5400)])
def test_a_duration_is_that_long_before_now(given: str, ago_s: float) -> None:
    """In the spelling of every other option that is a time."""
    option = next(each for each in reconcile_command.params if each.name == "since")
    found = since_of(click.Context(reconcile_command), option, given)
    assert found == timedelta(seconds=ago_s)


def test_a_time_without_a_zone_is_utc() -> None:
    """All times of the report are UTC."""
    option = next(each for each in reconcile_command.params if each.name == "since")
    found = since_of(click.Context(reconcile_command), option, "2026-01-02T03:04:05")
    assert found == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
