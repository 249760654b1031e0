"""Reads runs back from their folders: what was frozen before the run, and what was stored after it.

Nothing outside the folder is needed: plan, testbed and invariants were frozen into it.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from aguante.core.stored_values import NotARunError, read_value
from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.report.analyse import FrozenRun, JudgedRun
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.verdict import Verdict


def read_frozen(root: Path) -> FrozenRun:
    """The run to be judged again.

    Raises:
        NotARunError: plan or testbed is missing, or this version cannot read it.
    """
    folder = RunFolder(root)
    with _reading(root):
        plan = read_value(Plan, folder.plan)
        spec = _with_own_invariants(read_value(TestbedSpec, folder.testbed), folder)
    return FrozenRun(folder, plan, spec)


def read_judged(root: Path) -> JudgedRun:
    """The stored measures and verdict.

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


def latest_run(runs: Path) -> Path:
    """The folder of the run that began last.

    Raises:
        NotARunError: there is no run.
    """
    found = sorted(path.parent for path in runs.glob("*/plan.json"))
    if not found:
        message = (
            f"{runs}: no run is there; `aguante run FILE` makes one, --runs names another folder"
        )
        raise NotARunError(message)
    return found[-1]


def _with_own_invariants(spec: TestbedSpec, folder: RunFolder) -> TestbedSpec:
    """Their SQL from the folder; runs of versions that did not keep it use its original place."""
    frozen = tuple(
        each.model_copy(update={"sql": own}) if own.exists() else each
        for each in spec.invariants
        for own in (folder.invariants / each.sql.name,)
    )
    return spec.model_copy(update={"invariants": frozen})


@contextlib.contextmanager
def _reading(root: Path) -> Iterator[None]:
    """Raise every error of reading a folder as one that names the folder."""
    try:
        yield
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        message = f"{root}: no {name} is there; give the folder of a finished run"
        raise NotARunError(message) from error
    except OSError as error:
        message = f"{root}: not a run that this version can read: {error}"
        raise NotARunError(message) from error
