"""`report`, `verdict`, `list --runs`: from run folders alone; nothing is started."""

import json
import shutil
from pathlib import Path

import pytest
from run_folders import judged, played

from aguante.cli import main as cli
from aguante.core.stored_values import NotARunError
from aguante.report.analyse import analyse
from aguante.report.stored_run import read_frozen, read_judged
from aguante.run_folder.folder import RunFolder

RUN = "20260102T030405Z-payments-slow-0000"


def code_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return int(ended.value.code)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A judged run; tests that change it copy it first."""
    return judged(tmp_path_factory.mktemp("runs"))


def copy_of(finished: RunFolder, folder: Path) -> RunFolder:
    shutil.copytree(finished.root, folder / finished.root.name)
    return RunFolder(folder / finished.root.name)


def test_the_same_folder_gives_the_same_verdict(finished: RunFolder) -> None:
    """Byte for byte, however often, and wherever the folder was moved to."""
    texts = {
        analyse(read_frozen(finished.root)).verdict.model_dump_json(indent=2) for _ in range(2)
    }
    assert texts == {finished.verdict.read_text()}


def test_a_moved_folder_is_judged_by_its_own_invariants(
    finished: RunFolder, tmp_path: Path
) -> None:
    """The SQL was kept with the run: a later change of invariants/ does not change its verdict."""
    moved = copy_of(finished, tmp_path)
    for sql in moved.invariants.glob("*.sql"):
        sql.write_text("-- exposure: SELECT 1\nSELECT 'broken' AS why")
    assert analyse(read_frozen(moved.root)).verdict.verdict == "deviated"


def test_verdict_exits_as_the_verdict_and_says_when_it_differs(
    finished: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changed evidence changes the verdict, and the difference to the stored one is said."""
    stored = json.loads(finished.verdict.read_text())
    assert code_of("verdict", str(finished.root), "--json") == 0
    output = capsys.readouterr()
    assert json.loads(output.out) == stored
    assert output.err == ""
    changed = copy_of(finished, tmp_path)
    lines = [json.loads(line) for line in changed.records.read_text().splitlines()]
    for line in lines:
        if line["operation"] == "read_event" and 15 <= line["intended_s"] < 19:
            line.update(status=503, mechanism="disconnected", origin="gateway")
    changed.records.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert code_of("verdict", str(changed.root)) == 1
    assert "differs from the stored" in capsys.readouterr().err
    assert json.loads(changed.verdict.read_text()) == stored  # not without --write
    assert code_of("verdict", str(changed.root), "--write") == 1
    assert json.loads(changed.verdict.read_text())["verdict"] == "deviated"
    assert changed.report_html.exists()


def test_report_makes_the_pages_again(
    finished: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From measures and verdict alone: the evidence may be gone."""
    folder = copy_of(finished, tmp_path)
    folder.records.unlink()
    assert code_of("report", RUN, "--runs", str(tmp_path)) == 0
    assert capsys.readouterr().out.strip() == str(folder.report_html)
    assert "payments-slow" in folder.report_html.read_text()
    assert folder.junit.exists()


@pytest.mark.parametrize("given", [RUN, "20260102T", "slow-0000"])
def test_a_run_is_named_by_its_id_or_a_part_of_it(finished: RunFolder, given: str) -> None:
    """Its beginning, or its end."""
    assert code_of("report", given, "--runs", str(finished.root.parent)) == 0


@pytest.mark.parametrize(
    ("given", "message"), [("nowhere", "no such run"), ("2026", "give more of the id")]
)
def test_a_run_that_is_not_clear_is_wrong_usage(
    tmp_path: Path, given: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, and what to do."""
    for number in range(2):
        (tmp_path / f"2026-{number}").mkdir()
        (tmp_path / f"2026-{number}" / "plan.json").touch()
    assert code_of("report", given, "--runs", str(tmp_path)) == 3
    assert message in capsys.readouterr().err


def test_a_run_that_was_never_judged_has_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said as wrong usage; `aguante verdict --write` judges it, and then it has one."""
    folder = played(tmp_path)
    assert code_of("report", str(folder.root)) == 3
    assert "no measures.json is there" in capsys.readouterr().err
    assert code_of("verdict", str(folder.root), "--write") == 0
    assert folder.report_html.exists()


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    """With what is missing."""
    with pytest.raises(NotARunError, match=r"no plan\.json is there"):
        read_frozen(tmp_path)


def test_a_run_of_an_earlier_version_is_refused(finished: RunFolder, tmp_path: Path) -> None:
    """Its plan lacks the expectations: the message names the file, what is missing, and what to do."""
    folder = copy_of(finished, tmp_path)
    plan = json.loads(folder.plan.read_text())
    del plan["expect"]
    folder.plan.write_text(json.dumps(plan))
    for read in (read_frozen, read_judged):
        with pytest.raises(
            NotARunError, match=r"plan\.json: .*expect: found nothing.*run it again"
        ):
            read(folder.root)


def test_list_shows_past_runs_with_their_verdicts(
    finished: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The latest first; one that was not judged is listed as such."""
    copy_of(finished, tmp_path)
    played(tmp_path, "20260103T000000Z-payments-slow-0001")
    assert code_of("list", "--runs", "--runs-folder", str(tmp_path), "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["run_id"], each["verdict"]) for each in listed] == [
        ("20260103T000000Z-payments-slow-0001", ""),
        (RUN, "held"),
    ]
    assert code_of("list", "--runs", "--runs-folder", str(tmp_path)) == 0
    assert "not judged" in capsys.readouterr().out


def test_a_run_with_settings_is_judged_by_them_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`verdict`, `report`, `explain` and `compare` start from the experiment as it was played, --set included."""
    setting = "expect[1].rate.min=0.5"
    plain, other = judged(tmp_path), judged(tmp_path, RUN.replace("0000", "0001"), sets=(setting,))
    assert [json.loads(each.verdict.read_text())["verdict"] for each in (plain, other)] == [
        "held",
        "deviated",
    ]
    assert code_of("verdict", str(other.root)) == 1
    assert capsys.readouterr().err == ""  # the same as the stored one
    assert code_of("report", str(other.root)) == 0
    page = other.report_html.read_text()
    assert setting in page
    assert "fault &gt;= 50 %" in page
    capsys.readouterr()
    assert code_of("explain", str(other.root), "expectation", "2") == 0
    assert "required >= 50 %" in capsys.readouterr().out
    assert code_of("compare", str(plain.root), str(other.root), "--runs", str(tmp_path)) == 0
    assert "held" in (text := capsys.readouterr().out)
    assert "deviated" in text
