"""A run folder read back: what was played, judged again from what lies there alone.

Nothing outside the folder is needed: the plan, the testbed and the invariants were frozen into it.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aguante.collect.span_decoder import decode_spans
from aguante.core.stored_values import NotARunError, read_value
from aguante.measure.measure_run import measure
from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.judge import judge
from aguante.verdict.verdict import Verdict


@dataclass(frozen=True)
class FrozenRun:
    """What was played, as it was."""

    folder: RunFolder
    plan: Plan
    spec: TestbedSpec


@dataclass(frozen=True)
class JudgedRun:
    """What was found."""

    folder: RunFolder
    plan: Plan
    measures: Measures
    verdict: Verdict


def read_frozen(root: Path) -> FrozenRun:
    """What was played.

    Raises:
        NotARunError: the folder lacks it, or this version cannot read it.
    """
    folder = RunFolder(root)
    with _reading(root):
        plan = read_value(Plan, folder.plan)
        spec = _with_own_invariants(read_value(TestbedSpec, folder.testbed), folder)
    return FrozenRun(folder, plan, spec)


def read_judged(root: Path) -> JudgedRun:
    """What was found: the stored measures and verdict.

    Raises:
        NotARunError: the run was not judged, or this version cannot read it.
    """
    folder = RunFolder(root)
    with _reading(root):
        return JudgedRun(
            folder,
            read_value(Plan, folder.plan),
            read_value(Measures, folder.measures),
            read_value(Verdict, folder.verdict),
        )


def judge_again(run: FrozenRun) -> JudgedRun:
    """Measure and judge from the evidence; writes nothing but what was never decoded.

    Raises:
        EvidenceError: a file of the folder is there and cannot be read.
    """
    undecoded = run.folder.otlp.exists() and not run.folder.spans.exists()
    if undecoded:
        decode_spans(run.folder)
    measures = measure(run.folder, run.plan, run.spec, keep_traces=undecoded)
    return JudgedRun(run.folder, run.plan, measures, judge(run.plan, measures))


def latest_run(runs: Path) -> Path:
    """The run that began last.

    Raises:
        NotARunError: there is none.
    """
    found = sorted(path.parent for path in runs.glob("*/plan.json"))
    if not found:
        message = (
            f"{runs}: no run is there; `aguante run FILE` makes one, --runs names another folder"
        )
        raise NotARunError(message)
    return found[-1]


def _with_own_invariants(spec: TestbedSpec, folder: RunFolder) -> TestbedSpec:
    """Their SQL from the folder; from where it was for runs of a version that did not keep it."""
    frozen = tuple(
        each.model_copy(update={"sql": own}) if own.exists() else each
        for each in spec.invariants
        for own in (folder.invariants / each.sql.name,)
    )
    return spec.model_copy(update={"invariants": frozen})


@contextlib.contextmanager
def _reading(root: Path) -> Iterator[None]:
    """Of whatever goes wrong while reading a folder makes one error that names it."""
    try:
        yield
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        message = f"{root}: no {name} is there; give the folder of a finished run"
        raise NotARunError(message) from error
    except OSError as error:
        message = f"{root}: not a run that this version can read: {error}"
        raise NotARunError(message) from error
