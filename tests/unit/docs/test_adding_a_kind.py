"""docs/adding-a-kind.md works as it is written: its steps are applied to a copy of the project and executed there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shop import ROOT

PAGE = (ROOT / "docs" / "adding-a-kind.md").read_text(encoding="utf-8")
COPIED = (
    *("aguante", "invariants", "loadtests", "policies", "proxies", "reports", "schemas"),
    *("testbed.yaml", "docs/experiments.md"),
    *("tests/unit/conftest.py", "tests/unit/shop.py", "tests/unit/synthetic_run.py"),
    *("tests/unit/documented_expectations.py", "tests/unit/payments-slow.yaml"),
    *("tests/unit/expectations", "tests/unit/verdict"),
)
JUDGE = """
import sys
from pathlib import Path
from shop import read_shop
from synthetic_run import write_run
from aguante.experiment import load_experiment
from aguante.measure.measure_run import measure
from aguante.plan.build import build_plan
from aguante.verdict.judge import judge

spec = read_shop()
plan = build_plan(load_experiment(Path("slow.yaml"), spec), spec, run_id="r", seed=1, source="slow.yaml")
result = judge(plan, measure(write_run(Path("runs"), plan), plan, spec)).expectations[0]
print(f"{result.kind}: {result.text}; {result.outcome}, observed {result.observed} ({result.reason})")
"""


def blocks(language: str, heading: str) -> list[str]:
    """The fenced blocks of one language below a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def patched(text: str, diff: str) -> str:
    """Insert each ``+`` line of a diff behind the line that precedes it there."""
    lines, at = text.splitlines(), 0
    for line in diff.splitlines():
        if line.startswith("+"):
            lines.insert(at, line[1:])
        else:
            at = lines.index(line[1:], at)
        at += 1
    return "\n".join(lines) + "\n"


class Copy:
    """A copy of what the steps change and what executes them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            source, target = ROOT / name, root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        (root / "pytest.ini").write_text(
            "[pytest]\nasyncio_mode = auto\npythonpath = . tests/unit\n"
        )

    def patch(self, name: str, diff: str) -> None:
        path = self.root / name
        path.write_text(patched(path.read_text(encoding="utf-8"), diff), encoding="utf-8")

    def python(self, *arguments: str) -> str:
        """Run Python on the copy; its output."""
        env = {"PYTHONPATH": f"{self.root}:{self.root}/tests/unit", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


LOAD_BAD = """
from pathlib import Path
from shop import read_shop
from aguante.experiment import InvalidExperiment, load_experiment
try:
    load_experiment(Path("bad.yaml"), read_shop())
except InvalidExperiment as error:
    print(error)
"""
USE_FAULT = """
import asyncio
from pathlib import Path
from shop import read_shop
from aguante.drivers.driver import FaultError
from aguante.drivers.driver_set import Drivers
from aguante.experiment import InvalidExperiment, load_experiment
from aguante.faults.open_files import OpenFilesUndo
from aguante.plan.build import build_plan
from aguante.plan.plan import Plan
from aguante.report.chart_geometry import fault_names
from aguante.run.compose_recovery import driver_for
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import Journal, pending

spec, path = read_shop(), Path("starved.yaml")
plan = build_plan(load_experiment(path, spec), spec, run_id="r", seed=1, source="starved.yaml")
assert Plan.model_validate_json(plan.model_dump_json()) == plan
(fault,) = plan.faults
print(fault.fault.headline(fault.length_s), "|", fault_names(fault)[0])
with Journal.open(Path("run/journal.jsonl"), "r") as journal:
    journal.intend(OpenFilesUndo(fault_id="starved", limits=((1, 1024),)))
(undo,) = pending(Path("run/journal.jsonl"))
print(undo.target, "|", type(asyncio.run(driver_for(undo, RunFolder(Path("run"))))).__name__)
try:
    load_experiment(path, spec, runtime="compose")
except InvalidExperiment as error:
    print(error)
try:
    asyncio.run(Drivers({}).prepare(fault))
except FaultError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The copy after the steps for an expectation."""
    copy = Copy(tmp_path_factory.mktemp("copy"))
    kind, test = blocks("python", "A kind of expectation")
    (copy.root / "aguante/expectations/outage.py").write_text(kind)
    (copy.root / "tests/unit/expectations/test_outage.py").write_text(test)
    (registry,) = blocks("diff", "A kind of expectation")
    copy.patch("aguante/expectations/registry.py", registry)
    (rows,) = blocks("markdown", "A kind of expectation")
    keys, example = rows.splitlines()
    page = (copy.root / "docs/experiments.md").read_text()
    page = re.sub(r"(?=\n\| `promql` \|)", f"\n{keys}", page)
    page = re.sub(r"(?=\n\| `promql: )", f"\n{example}", page)
    (copy.root / "docs/experiments.md").write_text(page)
    (clause,) = blocks("yaml", "A kind of expectation")
    slow = (copy.root / "tests/unit/payments-slow.yaml").read_text()
    (copy.root / "slow.yaml").write_text(slow.replace("expect:\n", f"expect:\n{clause}"))
    return copy


@pytest.fixture(scope="module")
def with_fault(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The copy after the steps for a fault."""
    copy, heading = Copy(tmp_path_factory.mktemp("copy")), "A kind of fault"
    files = (
        "aguante/faults/open_files.py",
        "aguante/drivers/open_files_driver.py",
        "tests/unit/drivers/test_open_files.py",
    )
    (copy.root / "tests/unit/drivers").mkdir()
    for name, text in zip(files, blocks("python", heading), strict=True):
        (copy.root / name).write_text(text)
    patched_files = ("faults/fault_registry", "run/compose_run", "run/compose_recovery")
    for name, diff in zip(patched_files, blocks("diff", heading), strict=True):
        copy.patch(f"aguante/{name}.py", diff)
    (fault,) = blocks("yaml", heading)
    slow = (copy.root / "tests/unit/payments-slow.yaml").read_text()
    text = re.sub(r"faults:\n(  .*\n)+", f"faults:\n{fault}", slow)
    (copy.root / "starved.yaml").write_text(text)
    (copy.root / "run").mkdir()
    return copy


def test_a_run_is_measured_and_judged_by_the_new_kind(extended: Copy) -> None:
    """From the YAML of the page to a result, with the words of the kind; the page's example says the same."""
    (rows,) = blocks("markdown", "A kind of expectation")
    result = extended.python("-c", JUDGE).strip()
    assert result == (
        "outage: longest outage in fault <= 3 s; met, observed 2.1 s (among 720 requests)"
    )
    assert re.search(r"2\.1 s \| met \|", rows)


def test_the_new_kind_passes_its_own_test_and_those_of_all_kinds(extended: Copy) -> None:
    """One file, one line in the registry, one test and its documentation are enough."""
    tests = (
        "tests/unit/expectations/test_outage.py",
        "tests/unit/expectations/test_kinds.py",
        "tests/unit/verdict/test_steady_state.py",
    )
    output = extended.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "outage", *tests)
    assert re.search(r"^(\d+) passed", output, re.MULTILINE), output


def test_an_editor_knows_the_new_kind(extended: Copy) -> None:
    """The schema is made from the registry."""
    extended.python("-m", "aguante.report.schemas", "schemas")
    schema = (extended.root / "schemas/experiment.schema.json").read_text()
    assert '"outage": {' in schema
    assert "The longest time without a successful request, by intended start." in schema


def test_a_fault_in_the_new_kind_is_reported_like_any_other(extended: Copy) -> None:
    """With file and line, what was found and a fix; the misspelt key is named."""
    text = (extended.root / "slow.yaml").read_text()
    (extended.root / "bad.yaml").write_text(text.replace("max_s: 3}", "max_second: 3}"))
    message = extended.python("-c", LOAD_BAD).strip()
    line = text[: text.index("outage")].count("\n") + 1
    assert message.startswith(f"bad.yaml:{line}: expect[0].outage.max_second: found the key")
    assert message.endswith("fix: did you mean max_s?")


def test_the_new_fault_is_loaded_planned_journaled_and_recovered(with_fault: Copy) -> None:
    """With its words in the headline and on charts, and its reasons where it cannot be applied."""
    planned, undone, refused, missing = with_fault.python("-c", USE_FAULT).splitlines()
    assert planned == (
        "payments limited to 24 open files for 12 s | starved: 24 open files on payments"
    )
    assert undone == "pid 1 | OpenFilesDriver"
    assert "processes in containers are not reached; fix: use another runtime" in refused
    assert missing == "payments is no service whose processes run on this machine"


def test_the_new_fault_acts_and_is_undone(with_fault: Copy) -> None:
    """The test of the page, on a real process; and every part that composes drivers still imports."""
    test = "tests/unit/drivers/test_open_files.py"
    output = with_fault.python("-m", "pytest", "-q", "-p", "no:cacheprovider", test)
    assert re.search(r"^1 passed", output, re.MULTILINE), output
    with_fault.python("-c", "import aguante.run.compose_run")


def test_an_editor_knows_the_new_fault(with_fault: Copy) -> None:
    """The schema is made from the registry, with the bounds and the docstring of the key."""
    with_fault.python("-m", "aguante.report.schemas", "schemas")
    schema = (with_fault.root / "schemas/experiment.schema.json").read_text()
    assert '"OpenFilesSection": {' in schema
    assert "Open files, including sockets." in schema


def test_a_wrong_key_of_the_new_fault_is_reported_like_any_other(with_fault: Copy) -> None:
    """Wrong names and wrong values at once, each with its line."""
    text = (with_fault.root / "starved.yaml").read_text()
    text = text.replace("service: payments, limit: 24", "service: payment, limit: 4")
    (with_fault.root / "bad.yaml").write_text(text)
    messages = with_fault.python("-c", LOAD_BAD).splitlines()
    assert [each.partition("open_files.")[2].partition(":")[0] for each in messages] == [
        "limit",
        "service",
    ]
    assert messages[0].endswith("found 4, expected a number >= 8; fix: give a value >= 8")
    assert messages[1].endswith("fix: did you mean payments?")
