"""An audit of recorded tables: outcomes, open questions, and exit codes."""

from pathlib import Path

import msgspec
import pytest
from audit_harness import record, shop_in_order
from click.testing import CliRunner

from aguante.cli.commands.audit import audit_command
from aguante.measure.audit.invariant_audit import NO_LEDGER, NOTHING_TRIED, Audit, audit
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import TestbedSpec

LEDGER_INVARIANTS = {"acknowledged_is_kept", "definite_failure_never_confirmed"}
Told = tuple[int, str]


@pytest.fixture
def recorded(tmp_path: Path, shop: TestbedSpec) -> RunFolder:
    with shop_in_order() as db:
        return record(db, shop, RunFolder.create(tmp_path, "run"))


def damage(folder: RunFolder, name: str, old: str, new: str) -> None:
    file = folder.tables / f"{name}.csv"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def audited(folder: RunFolder, shop: TestbedSpec, *, ledger: bool = True) -> Audit:
    records = folder.records if ledger else None
    return audit("run", shop, folder.tables, ledger=records, settled=True)


def command(*arguments: object) -> Told:
    """Exit code and output of ``aguante audit``; the code is the command's return value."""
    codes: list[int] = []

    def run(*args: str) -> None:
        codes.append(audit_command.main(list(args), standalone_mode=False))

    with CliRunner().isolation() as (out, err, _):
        run(*(str(each) for each in arguments))
        return codes[0], (out.getvalue() + err.getvalue()).decode()


def test_every_invariant_holds_in_a_consistent_shop(recorded: RunFolder, shop: TestbedSpec) -> None:
    """With a ledger, every invariant is tested."""
    found = audited(recorded, shop)
    assert {each.outcome for each in found.invariants} == {"held"}
    assert not found.violated
    assert found.open_questions(()) == ()


def test_without_a_ledger_invariants_on_responses_are_unknown(
    recorded: RunFolder, shop: TestbedSpec
) -> None:
    """They are open questions only if they were named."""
    found = audited(recorded, shop, ledger=False)
    unknown = {each.name: each.because for each in found.invariants if each.outcome == "unknown"}
    assert unknown == dict.fromkeys(LEDGER_INVARIANTS, NO_LEDGER)
    assert found.open_questions(()) == ()
    assert found.open_questions(("acknowledged_is_kept",)) == (
        f"acknowledged_is_kept is unknown: {NO_LEDGER}",
    )


def test_an_empty_shop_proves_nothing(recorded: RunFolder, shop: TestbedSpec) -> None:
    """Nothing in it could have violated an invariant."""
    for file in recorded.tables.glob("*.csv"):
        file.write_text(file.read_text().splitlines()[0] + "\n")
    recorded.records.write_text("")
    found = audited(recorded, shop)
    assert {each.because for each in found.invariants} == {NOTHING_TRIED}
    assert found.open_questions(())[0].startswith("no invariant could be checked")


def test_an_invariant_that_cannot_be_queried_is_an_open_question(
    recorded: RunFolder, shop: TestbedSpec
) -> None:
    """A table may be missing in another version of the system."""
    schema = msgspec.json.decode((recorded.tables / "schema.json").read_bytes())
    del schema["reservations.outbox"]
    (recorded.tables / "schema.json").write_bytes(msgspec.json.encode(schema))
    (question,) = audited(recorded, shop).open_questions(())
    assert question.startswith("notices_match_confirmed is unknown: ")
    assert "outbox" in question


def test_not_settling_is_a_violation(recorded: RunFolder, shop: TestbedSpec) -> None:
    """It is one even if every invariant holds."""
    found = audited(recorded, shop)
    assert found.model_copy(update={"settled": False}).violated
    assert not found.model_copy(update={"settled": None}).violated


def test_missing_tables_are_an_error(recorded: RunFolder, shop: TestbedSpec) -> None:
    """The message names the folder and the file."""
    (recorded.tables / "schema.json").unlink()
    with pytest.raises(EvidenceError, match=r"the tables in .*schema\.json"):
        audited(recorded, shop)


def test_a_file_that_is_not_a_ledger_is_an_error(recorded: RunFolder, shop: TestbedSpec) -> None:
    """The message says what was expected."""
    recorded.records.write_text('{"seq": "first"}\n')
    with pytest.raises(EvidenceError, match="one RequestRecord a line"):
        audited(recorded, shop)


def test_a_clean_run_exits_0_and_prints_every_invariant(
    recorded: RunFolder, shop: TestbedSpec
) -> None:
    """The ledger of a run folder is used by default."""
    code, output = command("--run", recorded.root)
    assert code == 0
    for each in shop.invariants:
        assert each.name in output
    assert "unknown" not in output


def test_a_violation_exits_1_and_shows_the_first_rows(recorded: RunFolder) -> None:
    """It prints five rows and their total number."""
    damage(recorded, "payments.charges", "REFUNDED", "CAPTURED")
    code, output = command("--run", recorded.root)
    assert code == 1
    assert "no_stray_charge: 1 of 1 offending rows" in output
    assert "COMPENSATED" in output


def test_json_has_the_whole_audit(recorded: RunFolder) -> None:
    """It reads back as an Audit."""
    damage(recorded, "payments.charges", "REFUNDED", "CAPTURED")
    code, output = command("--run", recorded.root, "--json")
    assert code == 1
    found = Audit.model_validate_json(output)
    assert [each.name for each in found.invariants if each.outcome == "violated"] == [
        "no_stray_charge"
    ]


def test_one_invariant_can_be_chosen(recorded: RunFolder) -> None:
    """The others are not checked; without its ledger the exit code is 2."""
    damage(recorded, "payments.charges", "REFUNDED", "CAPTURED")
    code, output = command("--run", recorded.root, "--invariant", "seats_add_up")
    assert code == 0
    assert "no_stray_charge" not in output
    recorded.records.unlink()
    code, output = command("--run", recorded.root, "--invariant", "acknowledged_is_kept")
    assert code == 2
    assert "--ledger" in output


def test_unreadable_tables_exit_4(recorded: RunFolder) -> None:
    """It prints one message and no traceback."""
    (recorded.tables / "payments.charges.csv").unlink()
    code, output = command("--run", recorded.root)
    assert code == 4
    assert output.startswith("error: the tables in ")


def test_a_folder_without_a_run_exits_4(tmp_path: Path) -> None:
    """The message says which file is missing."""
    code, output = command("--run", tmp_path)
    assert code == 4
    assert "testbed.json cannot be read" in output
