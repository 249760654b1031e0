import json
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from aguante.cli.commands.lint import lint_command, run_hook
from aguante.testbed.testbed_spec import LintSpec, TestbedSpec

ROOT = Path(__file__).parents[3]


def lint(*arguments: str) -> Result:
    testbed = ("--testbed", str(ROOT / "testbed.yaml"))
    return CliRunner().invoke(lint_command, [*arguments, *testbed], standalone_mode=False)


def test_every_policy_of_the_testbed_is_checked_and_none_has_an_error() -> None:
    """Without arguments all are; the default's first finding is 2+3+2 s under 5 s; warnings do not fail."""
    done = lint()
    assert done.return_value == 0
    assert "inventory 2 s + payments 3 s + notifications 2 s = 7 s" in done.output
    count = len(list((ROOT / "policies").glob("*.yaml")))
    assert done.output.splitlines()[-1].startswith(f"{count} policies: 0 errors, ")


def test_an_error_exits_with_1_and_says_file_line_and_mend(tmp_path: Path) -> None:
    """A deadline that outlasts the client is an error; the line is the deadline's."""
    text = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    late = tmp_path / "late.yaml"
    late.write_text(text.replace("total_s: 5", "total_s: 9"), encoding="utf-8")
    line = text.splitlines().index("deadline: {total_s: 5, margin_s: 0.2}") + 1
    done = lint(str(late))
    assert done.return_value == 1
    assert done.output.startswith(f"{late}:{line}: error: deadline.total_s: ")
    assert "; fix: lower this below 7 s [client_gives_up_first]" in done.output


def test_json_is_the_hooks_report() -> None:
    """With --json a machine reads what a person would."""
    done = lint("default", "no-deadline", "--json")
    report = json.loads(done.output)
    assert [Path(policy["file"]).stem for policy in report["policies"]] == [
        "default",
        "no-deadline",
    ]
    assert {"severity", "rule", "line", "where", "message", "fix"} == set(
        report["policies"][0]["findings"][0]
    )


def test_an_unknown_policy_is_wrong_usage() -> None:
    """With the name that was probably meant."""
    done = lint("no-braker")
    assert isinstance(done.exception, click.ClickException)
    assert "did you mean no-breaker?" in str(done.exception)


def hook(shop: TestbedSpec, folder: Path, code: str) -> TestbedSpec:
    (folder / "some_hook.py").write_text(code, encoding="utf-8")
    return shop.model_copy(update={"root": folder, "lint": LintSpec(module="some_hook")})


@pytest.mark.parametrize(
    "code", ["print('hello')", "raise SystemExit('no database')", "print('{}')"]
)
def test_a_hook_that_gives_no_report_is_told(shop: TestbedSpec, tmp_path: Path, code: str) -> None:
    """What it printed is part of the message, so that its author can fix it."""
    said = {"print('hello')": "hello", "print('{}')": "{}"}.get(code, "no database")
    with pytest.raises(click.ClickException, match="printed no report") as raised:
        run_hook(hook(shop, tmp_path, code), [])
    assert said in str(raised.value)


def test_a_hook_that_hangs_is_ended(
    shop: TestbedSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a limit, as everything has."""
    monkeypatch.setattr("aguante.cli.commands.lint.HOOK_S", 0.2)
    spec = hook(shop, tmp_path, "import time; time.sleep(60)")
    with pytest.raises(click.ClickException, match=r"did not finish within 0\.2 s"):
        run_hook(spec, [])


def test_a_testbed_without_a_hook_says_how_to_get_one(shop: TestbedSpec) -> None:
    """Another system need not have such a check."""
    with pytest.raises(click.ClickException, match="add `lint:"):
        run_hook(shop.model_copy(update={"lint": None}), [])


def test_the_runner_does_not_import_what_it_runs() -> None:
    """The hook is a child process: its modules never come into ours."""
    before = {name for name in sys.modules if name.startswith("services")}
    assert lint("default").return_value == 0
    assert {name for name in sys.modules if name.startswith("services")} == before
