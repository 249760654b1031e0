"""Which files a command works on: both suffixes, no backups of editors, literal names, pipes and standard input."""

import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from run_folders import judged

from aguante.cli import main as cli
from aguante.cli.options.experiment_files import expand, select
from aguante.core.duckdb_paths import literal_path
from aguante.core.yaml_files import named_yaml, yaml_files, yaml_files_below
from aguante.report.analyse import analyse
from aguante.report.stored_run import read_frozen
from aguante.testbed.testbed_file import load_testbed

ROOT = Path(__file__).parents[3]
VALID = (ROOT / "chaos-experiments" / "payments-slow.yaml").read_bytes()
LEFT_BY_EDITORS = (".#x.yaml", "._x.yaml", "x.yaml~", "#x.yaml#", ".x.yaml.swp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two experiments, and what editors leave beside them."""
    found = tmp_path / "experiments"
    found.mkdir()
    for name in ("a.yaml", "b.yml", "notes.md", *LEFT_BY_EDITORS):
        (found / name).write_bytes(VALID)
    return found


def test_a_folder_is_its_yaml_files(folder: Path) -> None:
    """Both suffixes count; hidden files and backups do not."""
    assert expand((folder,)) == (folder / "a.yaml", folder / "b.yml")


def test_what_a_shell_makes_of_a_star_leaves_out_backups(folder: Path) -> None:
    """``folder/*`` contains ``x.yaml~``."""
    given = tuple(folder / name for name in ("a.yaml", "b.yml"))
    assert expand((*given[:1], *given[1:])) == given
    with pytest.raises(click.UsageError, match="no experiment"):
        expand((folder / "x.yaml~",))


def test_a_pattern_matches_experiments_only(folder: Path) -> None:
    """Quoted, so that the shell leaves it alone."""
    assert expand((folder / "*",)) == (folder / "a.yaml", folder / "b.yml")
    assert expand((folder / "*.md",)) == (folder / "notes.md",)


@pytest.mark.parametrize("name", ["[work]", "z*", "a?b", "**"])
def test_special_characters_in_an_existing_path_are_literal(tmp_path: Path, name: str) -> None:
    """Also where a pattern follows; a sibling that the name would match as a pattern is left out."""
    for each in (name, "w", "zz", "axb"):
        (tmp_path / each).mkdir()
        (tmp_path / each / "x.yaml").write_bytes(VALID)
    own = (tmp_path / name / "x.yaml",)
    assert expand((tmp_path / name,)) == own
    assert expand((tmp_path / name / "x.yaml",)) == own
    assert expand((tmp_path / name / "*.yaml",)) == own


@pytest.mark.parametrize("name", ["[work]", "z*"])
def test_a_run_is_judged_by_its_own_rows_wherever_it_is(tmp_path: Path, name: str) -> None:
    """DuckDB reads special characters as a pattern: ``z*`` would add the rows of ``zz``."""
    for each in (name, "w", "zz"):
        (tmp_path / each).mkdir()
    run, others = judged(tmp_path / name), [judged(tmp_path / each) for each in ("w", "zz")]
    for other in others:
        other.records.write_bytes(b"")
    text = analyse(read_frozen(run.root)).verdict.model_dump_json(indent=2)
    assert text == run.verdict.read_text()


def test_escaping_a_path_leaves_ordinary_ones_alone() -> None:
    """Only the characters of a pattern are escaped."""
    assert literal_path(Path("runs/x-1/a.csv")) == "runs/x-1/a.csv"
    assert literal_path("[w]/z*/a?") == "[[]w]/z[*]/a[?]"


def test_policies_are_yaml_files_of_either_suffix(tmp_path: Path) -> None:
    """Names without suffix, each once, and found again by name."""
    policies = tmp_path / "policies"
    policies.mkdir()
    for name in ("default.yaml", "gentle.yml", *LEFT_BY_EDITORS):
        (policies / name).touch()
    spec = load_testbed(ROOT / "testbed.yaml").model_copy(update={"policies": policies})
    assert spec.policy_names == ("default", "gentle")
    assert spec.policy_file("gentle") == policies / "gentle.yml"
    assert spec.policy_file("other") == policies / "other.yaml"


def test_hidden_folders_are_no_part_of_a_library(tmp_path: Path) -> None:
    """``.git`` and the like."""
    for name in ("a.yaml", "below/b.yml", ".hidden/c.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert yaml_files_below(tmp_path) == [tmp_path / "a.yaml", tmp_path / "below" / "b.yml"]
    assert yaml_files(tmp_path) == [tmp_path / "a.yaml"]
    assert named_yaml(tmp_path / "below", "b") == tmp_path / "below" / "b.yml"


@pytest.mark.parametrize(("text", "code", "line"), [(VALID, 0, "valid"), (b"name: x", 3, ":1: ")])
def test_validate_reads_standard_input(text: bytes, code: int, line: str) -> None:
    """Findings name it ``stdin``."""
    done = subprocess.run(
        [sys.executable, "-m", "aguante", "validate", "-"],
        input=text,
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    output = (done.stdout + done.stderr).decode()
    assert done.returncode == code, output
    assert line in output
    assert code == 0 or output.startswith("stdin:1: ")


def test_validate_reads_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As bash passes ``<(command)``."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with subprocess.Popen(
        ["/bin/sh", "-c", f"sleep 0.2; cat > '{path}'"], stdin=subprocess.PIPE
    ) as writer:
        assert writer.stdin
        writer.stdin.write(VALID)
        writer.stdin.close()
        with pytest.raises(SystemExit) as ended:
            cli.main(["validate", str(path)])
    assert ended.value.code == 0, capsys.readouterr().err
    assert f"{path}: valid" in capsys.readouterr().out


def test_an_experiment_from_standard_input_is_kept_for_a_repetition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is named after the experiment and its content; the run names this file."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(VALID)))
    ((path, experiment),) = select((Path("-"),), (), None, keep_in=tmp_path / "runs").experiments
    assert path.parent == tmp_path / "runs"
    assert path.name.startswith("payments-slow-")
    assert path.read_bytes() == VALID
    assert experiment.origin.source == VALID


def test_lint_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hook of the system gets a copy; findings name ``stdin``."""
    text = (ROOT / "policies" / "default.yaml").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    with pytest.raises(SystemExit) as ended:
        cli.main(["lint", "-"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("stdin")


def test_audit_reads_a_ledger_from_a_pipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """DuckDB needs a file: it gets a copy."""
    run, path = judged(tmp_path), tmp_path / "pipe"
    os.mkfifo(path)
    with (
        subprocess.Popen(["/bin/sh", "-c", f"cat '{run.records}' > '{path}'"]),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main(["audit", "--run", str(run.root), "--ledger", str(path)])
    assert ended.value.code == 0, capsys.readouterr().err
    assert "acknowledged_is_kept" in capsys.readouterr().out
