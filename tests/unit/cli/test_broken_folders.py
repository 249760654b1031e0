"""A run folder that is not what this version writes is said so in our words: what, where, and how to fix it."""

from pathlib import Path

import pytest
from run_folders import judged

from aguante.cli import main as cli
from aguante.run_folder.folder import RunFolder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return judged(tmp_path_factory.mktemp("runs"))


def said(command: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(command)
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "verdict", "explain", "compare"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "run_id: found nothing, expected the key run_id (and "),
        ('{"run_id": 3}', "run_id: found 3, expected text (and "),
        ("no JSON", "found something else than JSON (line 1 column 2), expected JSON"),
        ("", "found something else than JSON (line 1 column 0), expected JSON"),
    ],
)
def test_a_broken_plan_is_told_with_its_file(
    command: str,
    text: str,
    told: str,
    whole: RunFolder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 3, the file, the first fault; no library's own words, and no address of its pages."""
    plan = whole.plan.read_bytes()
    whole.plan.write_text(text)
    folders = [str(whole.root)] * (2 if command == "compare" else 1)
    try:
        code, error = said([command, *folders], capsys)
    finally:
        whole.plan.write_bytes(plan)
    assert code == 3
    assert f"{whole.plan}: not what this version writes: {told}" in error
    assert "fix: run it again" in error
    assert "pydantic" not in error
    assert "validation error" not in error


@pytest.mark.parametrize("name", ["environment.json", "suite.json"])
def test_another_broken_file_is_wrong_usage_too(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`report` reads more than the plan; none of it makes it crash."""
    folder = judged(tmp_path)
    (folder.root / name).write_text("[]")
    code, error = said(["report", str(folder.root)], capsys)
    assert code == 3
    assert f"{name}: not what this version writes: found a list of 0, expected" in error
