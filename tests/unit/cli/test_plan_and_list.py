"""`plan`, `list`, and which files `run` means: read before anything starts."""

import json
from pathlib import Path

import click
import pytest
from rich.console import Console
from run_folders import EXPERIMENT

from aguante.cli import main as cli
from aguante.cli.commands.listing import (
    ListedExperiment,
    ListedRun,
    print_experiments,
    print_runs,
)
from aguante.cli.options.experiment_files import expand, select
from aguante.suite.many_runs import planned_s
from aguante.testbed.policy_file import timeouts_s

ROOT = Path(__file__).parents[3]


def code_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return int(ended.value.code)


def write(folder: Path, name: str, tags: str = "") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(
        EXPERIMENT.read_text().replace("name: payments-slow", f"name: {name}")
        + f"\ntags: [{tags}]\n"
    )
    return path


def test_a_plan_is_a_time_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Phases and faults by time, the load, every claim, and what the policy makes of the delay."""
    assert code_of("plan", str(EXPERIMENT)) == 0
    lines = capsys.readouterr().out.splitlines()
    times = [
        float(line.split(" s ")[0]) for line in lines if line[:7].strip().replace(".", "").isdigit()
    ]
    assert times == sorted(times)
    text = "\n".join(lines)
    assert "  8.0 s    slow: latency 3500 ms, jitter 200 ms on reservations-payments" in text
    assert " 20.0 s    slow is removed" in text
    assert "60 requests/s (75% reserve, 25% read_event)" in text
    assert "rate of 504 in fault >= 2 %" in text
    assert "exceeds the 3 s timeout of policy default on reservations-payments" in text
    bar = next(line for line in lines if "####" in line)
    assert abs(bar.count("#") - 64 * 12 / 30) <= 1


def test_a_plan_starts_nothing_and_draws_no_seed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON it is the same every time, and no folder appears."""
    monkeypatch.chdir(tmp_path)
    texts = []
    for _ in range(2):
        assert (
            code_of("plan", str(EXPERIMENT), "--json", "--testbed", str(ROOT / "testbed.yaml")) == 0
        )
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["seed"] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_run_lasts_as_long_as_its_phases_and_its_rest() -> None:
    """Four phases of an hour are no less than four hours, whatever a suite allows besides."""
    loaded = select((EXPERIMENT,), (), ROOT / "testbed.yaml", ("phases.fault_s=3600",))
    ((_, experiment),) = loaded.experiments
    assert planned_s(experiment, loaded.spec) == 18 + 3600 + loaded.spec.settle.within_s


def test_an_invalid_file_is_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, with the findings; valid files beside it are still shown."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: x\n")
    assert code_of("plan", str(broken), str(EXPERIMENT)) == 3
    output = capsys.readouterr()
    assert f"{broken}:" in output.err
    assert "payments-slow" in output.out


def test_timeouts_are_read_from_a_policy_that_has_them(tmp_path: Path) -> None:
    """A foreign, missing or broken policy has none that we know."""
    assert timeouts_s(ROOT / "policies" / "default.yaml")["reservations-payments"] == 3
    foreign = tmp_path / "foreign.yaml"
    for text in ("links: [a]", "- x", "links: {a: 3}", "{", ""):
        foreign.write_text(text)
        assert timeouts_s(foreign) == {}
    assert timeouts_s(tmp_path / "none.yaml") == {}


def test_list_names_every_experiment_and_those_that_are_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Title, policy, length and tags; a file with faults does not hide the others."""
    write(tmp_path, "one", "slow, quick")
    (tmp_path / "two.yaml").write_text("name: x\n")
    assert code_of("list", str(tmp_path), "--json") == 0
    one, two = json.loads(capsys.readouterr().out)
    assert (one["name"], one["policy"], one["length_s"]) == ("one", "default", 30)
    assert one["tags"] == ["slow", "quick"]
    assert two["findings"] > 0
    assert code_of("list", str(tmp_path), "--tag", "slow", "--json") == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)] == ["one"]


def test_a_folder_a_pattern_and_a_file_each_count_once(tmp_path: Path) -> None:
    """In the order in which they were given."""
    one, two = write(tmp_path, "one"), write(tmp_path, "two")
    assert expand((two, tmp_path)) == (two, one)
    assert expand((tmp_path / "t*.yaml",)) == (two,)
    assert expand((tmp_path / "none.yaml",)) == (tmp_path / "none.yaml",)
    for nothing in (tmp_path / "x*.yaml", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(click.UsageError, match="no experiment"):
            expand((nothing,))


def test_tags_choose_among_the_files(tmp_path: Path) -> None:
    """Any of those given; when none is left, the message says which there are."""
    write(tmp_path, "one", "slow"), write(tmp_path, "two", "quick"), write(tmp_path, "three")
    testbed = ROOT / "testbed.yaml"
    names = [e.name for _, e in select((tmp_path,), ("slow", "quick"), testbed).experiments]
    assert names == ["one", "two"]
    assert len(select((tmp_path,), (), testbed).experiments) == 3
    with pytest.raises(click.UsageError, match="tags: quick, slow"):
        select((tmp_path,), ("slwo",), testbed)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_listed_name_can_be_copied_however_narrow_the_terminal(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """File names and run ids are never broken; what does not fit goes below them."""
    path = f"chaos-experiments/{'a-very-long-name-' * 3}.yaml"
    run_id = f"20260102T030405Z-{'a-very-long-name-' * 3}0000"
    console = Console(width=width)
    print_experiments(console, [ListedExperiment(path=path, title="A [title]", length_s=3)])
    print_runs(
        console, [ListedRun(run_id=run_id, experiment="e", policy="p", seed=7, verdict="held")]
    )
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for name in (path, run_id):
        assert any(line.split("  ")[0] == name for line in lines), lines
    assert any("A [title]" in line for line in lines)
    assert any("held" in line for line in lines)


def test_a_place_that_is_not_there_is_wrong_usage_for_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no experiment with a fault: there is nothing to list."""
    assert code_of("list", str(tmp_path / "nowhere")) == 3
    assert (
        "nowhere: not found; give a file, a folder or a quoted pattern" in capsys.readouterr().err
    )


def test_list_counts_one_finding_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the singular."""
    (tmp_path / "empty.yaml").touch()
    assert code_of("list", str(tmp_path)) == 0
    assert "invalid: 1 finding " in " ".join(capsys.readouterr().out.split())


def test_plans_of_several_experiments_are_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json` prints a plan; of several a list; where none is valid, an empty list."""
    write(tmp_path, "one", "slow")
    assert code_of("plan", "--json", str(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out)["experiment"] == "one"
    write(tmp_path, "two", "quick")
    assert code_of("plan", "--json", str(tmp_path)) == 0
    assert [each["experiment"] for each in json.loads(capsys.readouterr().out)] == ["one", "two"]
    assert code_of("plan", "--json", str(tmp_path / "none.yaml")) == 3
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_plan_and_validate_take_what_run_takes(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder or a pattern, and a tag; a broken file is told whatever its tags, and hides no other."""
    write(tmp_path, "one", "slow")
    write(tmp_path, "two", "quick")
    assert code_of(command, str(tmp_path / "*.yaml"), "--tag", "quick") == 0
    output = capsys.readouterr().out
    assert "two" in output
    assert "one.yaml" not in output
    (tmp_path / "broken.yaml").write_text("name: x\n")
    assert code_of(command, str(tmp_path), "--tag", "quick") == 3
    output, error = capsys.readouterr()
    assert "two" in output
    assert "one.yaml" not in output
    assert "broken.yaml:1" in error


def test_a_plan_is_for_a_runtime(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What it cannot do is refused; what it can is planned for it."""
    path = write(tmp_path, "far")
    text = path.read_text()
    start = (
        text.index("    toxiproxy: ") if "    toxiproxy: " in text else text.index("toxiproxy: ")
    )
    end = text.index("}", start) + 1
    path.write_text(text[:start] + "pumba: {service: payments, command: pause}" + text[end:])
    assert code_of("plan", str(path), "--runtime", "native") == 3
    assert "pumba" in capsys.readouterr().err
    assert code_of("plan", str(path), "--runtime", "compose", "--json") == 0
    assert json.loads(capsys.readouterr().out)["runtime"] == "compose"


def test_a_policy_that_is_not_there_is_not_echoed_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By option or in the file: a name of thousands of letters is shortened, and the known ones are listed."""
    long = "a" * 5000
    assert code_of("plan", str(EXPERIMENT), "--policy", long) == 3
    by_option = capsys.readouterr().err
    path = write(tmp_path, "long")
    text = path.read_text()
    path.write_text(text.replace("\nload:", f"\npolicy: {long}\nload:", 1))
    assert code_of("validate", str(path)) == 3
    by_file = capsys.readouterr().err
    for said in (by_option, by_file):
        assert "aaa..." in said
        assert "no-breaker" in said
        assert len(said) < 2000


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder without a testbed.yaml: Aguante's own is used."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["payments-slow", "containers/payments-frozen"])
def test_a_name_without_a_file_means_the_experiment_of_the_library(
    name: str, elsewhere: Path
) -> None:
    """`aguante run payments-slow` works in an empty folder."""
    assert expand((Path(name),)) == (ROOT / "chaos-experiments" / f"{name}.yaml",)


def test_a_file_of_that_name_comes_before_the_library(elsewhere: Path) -> None:
    """A file of the current folder is never shadowed."""
    (elsewhere / "payments-slow").write_text("name: mine\n")
    assert expand((Path("payments-slow"),)) == (Path("payments-slow"),)


def test_the_library_is_that_of_the_testbed_in_use(elsewhere: Path) -> None:
    """Beside another testbed.yaml lie that system's experiments."""
    folder = elsewhere / "chaos-experiments"
    folder.mkdir()
    (elsewhere / "testbed.yaml").touch()
    (folder / "theirs.yaml").touch()
    assert expand((Path("theirs"),)) == (folder.relative_to(elsewhere) / "theirs.yaml",)


def test_an_unknown_name_is_answered_with_the_nearest(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage is exit code 3, with a suggestion; where nothing is near, with all names."""
    assert code_of("plan", "payment-slow") == 3
    assert "payment-slow: no such file" in (said := capsys.readouterr().err)
    assert "did you mean payments-slow?" in said
    assert code_of("plan", "qqq") == 3
    assert "choose one of burn-rate-alert, containers/payments-frozen," in capsys.readouterr().err


def test_list_shows_the_library_where_there_is_no_testbed(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`aguante list` in an empty folder lists Aguante's own experiments."""
    assert code_of("list", "--json") == 0
    listed = {each["name"] for each in json.loads(capsys.readouterr().out)}
    assert {"payments-slow", "no-fault"} <= listed
