"""The folder of all runs is tried before anything is started."""

from pathlib import Path

import pytest

from aguante.cli import main as cli
from aguante.cli.options.runs_option import writable

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "experiments", ["chaos-experiments/payments-slow.yaml", "chaos-experiments"]
)
def test_runs_that_nobody_could_write_down_are_not_begun(
    experiments: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run or a suite: exit 4 with the reason; it was `inconclusive` for one, and a crash for many."""
    (tmp_path / "file").touch()
    runs = tmp_path / "file" / "runs"
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", str(ROOT / experiments), "--runs", str(runs)])
    assert ended.value.code == 4
    said = capsys.readouterr().err
    assert f"--runs {runs}: Not a directory; nothing was started" in said
    assert "Give a writable folder" in said


def test_trying_the_folder_makes_it_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    """Whoever writes there next finds it empty."""
    runs = tmp_path / "a" / "b"
    writable(runs)
    writable(runs)
    assert list(runs.iterdir()) == []
