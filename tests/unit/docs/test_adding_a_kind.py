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
    *("tests/unit/expectations", "tests/unit/verdict", "tests/unit/faults"),
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
verdict = judge(plan, measure(write_run(Path("runs"), plan), plan, spec))
(fault,), result = verdict.faults, verdict.expectations[0]
print(verdict.headline)
print(f"{result.kind}: {result.text}; {result.outcome}, observed {result.observed} ({result.reason})")
print(f"{fault.injection_observed}: {fault.evidence.split('; ')[-1].split(' (')[0]}")
"""


EXPECTATION, FAULT = "A kind of expectation", "A kind of fault"


def blocks(language: str, heading: str) -> list[str]:
    """The fenced blocks of one language below a heading of the page."""
    return [text for _, text in files(language, heading)]


def files(language: str, heading: str) -> list[tuple[str, str]]:
    """(file that the page names last before it, text) of each fenced block below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    names = [(each.end(), each[1]) for each in re.finditer(r"`([\w/-]+\.py)`", section)]
    return [
        (next((name for at, name in reversed(names) if at < each.start()), ""), each[1])
        for each in fence.finditer(section)
    ]


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

    def follow(self, heading: str) -> None:
        """Create the files that the page shows below a heading, and apply its diffs."""
        for name, text in files("python", heading):
            (self.root / name).write_text(text, encoding="utf-8")
        for name, diff in files("diff", heading):
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


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The copy after all steps, with an experiment that uses both kinds."""
    copy = Copy(tmp_path_factory.mktemp("copy"))
    copy.follow(EXPECTATION)
    copy.follow(FAULT)
    (rows,) = blocks("markdown", EXPECTATION)
    keys, example = rows.splitlines()
    page = (copy.root / "docs/experiments.md").read_text()
    page = re.sub(r"(?=\n\| `promql` \|)", f"\n{keys}", page)
    page = re.sub(r"(?=\n\| `promql: )", f"\n{example}", page)
    (copy.root / "docs/experiments.md").write_text(page)
    slow = (copy.root / "tests/unit/payments-slow.yaml").read_text()
    (clause,), (fault,) = blocks("yaml", EXPECTATION), blocks("yaml", FAULT)
    slow = slow.replace("expect:\n", f"expect:\n{clause}")
    slow = re.sub(r"^faults:\n  - .*\n", lambda _: f"faults:\n{fault}", slow, flags=re.MULTILINE)
    (copy.root / "slow.yaml").write_text(slow)
    return copy


@pytest.fixture(scope="module")
def judged(extended: Copy) -> list[str]:
    """What the run is judged to be: headline, the first expectation, the fault."""
    return extended.python("-c", JUDGE).splitlines()


def test_a_run_is_measured_and_judged_by_the_new_expectation(judged: list[str]) -> None:
    """The words are those of the kind, and the example in the documentation says the same."""
    (rows,) = blocks("markdown", EXPECTATION)
    assert judged[1] == (
        "outage: longest outage in fault <= 3 s; met, observed 2.1 s (among 720 requests)"
    )
    assert "2.1 s | met |" in rows


def test_a_run_is_measured_and_described_by_the_new_fault(judged: list[str]) -> None:
    """The headline has the words of the kind, and the attempts show the fault by its rule."""
    assert judged[0].startswith("payments under ./flag for 12 s: ")
    assert judged[2] == "True: 44 of 44 attempts on reservations-payments show it"


def test_the_new_kinds_pass_their_own_tests_and_those_of_all_kinds(extended: Copy) -> None:
    """One file, one line in the registry, one test and its documentation are enough."""
    tests = [name for name, _ in (*files("python", EXPECTATION), *files("python", FAULT))]
    tests = [name for name in tests if name.startswith("tests/")]
    tests += ["tests/unit/expectations/test_kinds.py", "tests/unit/verdict/test_steady_state.py"]
    chosen = "outage or command"
    output = extended.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, *tests)
    assert re.search(r"^(\d+) passed", output, re.MULTILINE), output


def test_an_editor_knows_the_new_kinds(extended: Copy) -> None:
    """The schema is made from the registries."""
    extended.python("-m", "aguante.report.schemas", "schemas")
    schema = (extended.root / "schemas/experiment.schema.json").read_text()
    for text in (
        *('"outage": {', "The longest time without a successful request, by intended start."),
        *('"command": {', "Succeeds if the fault is undone."),
    ):
        assert text in schema


def test_a_fault_in_the_new_kind_is_reported_like_any_other(extended: Copy) -> None:
    """With file and line, what was found and a fix; the misspelt key is named."""
    text = (extended.root / "slow.yaml").read_text()
    text = text.replace("max_s: 3}", "max_second: 3}").replace("check: [", "chek: [")
    (extended.root / "bad.yaml").write_text(text)
    load = "from aguante.experiment import load_experiment as load, InvalidExperiment as Invalid\n"
    load += "from pathlib import Path\nfrom shop import read_shop\n"
    load += "try: load(Path('bad.yaml'), read_shop())\nexcept Invalid as error: print(error)"
    fault, expectation = extended.python("-c", load).splitlines()
    lines = [text[: text.index(word)].count("\n") + 1 for word in ("chek", "outage")]
    assert fault.startswith(f"bad.yaml:{lines[0]}: faults[0].command.chek: found the key")
    assert fault.endswith("fix: did you mean check?")
    start = f"bad.yaml:{lines[1]}: expect[0].outage.max_second: found the key"
    assert expectation.startswith(start)
    assert expectation.endswith("fix: did you mean max_s?")
