"""Whole run folders of payments-slow, made by hand and judged, for the commands that begin with one."""

from pathlib import Path

from shop import ROOT, read_shop
from synthetic_run import Story, write_run

from aguante.experiment import load_experiment
from aguante.plan.build import build_plan
from aguante.report.analyse import analyse
from aguante.report.stored_run import read_frozen
from aguante.run_folder.folder import RunFolder

EXPERIMENT = ROOT / "tests" / "unit" / "payments-slow.yaml"


def played(
    runs: Path, run_id: str = "20260102T030405Z-payments-slow-0000", **story: object
) -> RunFolder:
    """What a run leaves before it is judged.

    ``story`` as in ``synthetic_run.Story``; ``policy`` and ``sets`` (of ``--set``) besides.
    """
    spec = read_shop()
    policy = str(story.pop("policy", "default"))
    sets = tuple(map(str, story.pop("sets", ())))  # type: ignore[call-overload]
    experiment = load_experiment(EXPERIMENT, spec, sets).model_copy(update={"policy": policy})
    plan = build_plan(experiment, spec, run_id=run_id, seed=7, source="payments-slow.yaml")
    folder = write_run(runs, plan, Story(**story))  # type: ignore[arg-type]
    folder.experiment.write_bytes(EXPERIMENT.read_bytes())
    folder.testbed.write_text(spec.model_dump_json())
    folder.invariants.mkdir()
    for invariant in spec.invariants:
        (folder.invariants / invariant.sql.name).write_bytes(invariant.sql.read_bytes())
    return folder


def judged(
    runs: Path, run_id: str = "20260102T030405Z-payments-slow-0000", **story: object
) -> RunFolder:
    """The same, with measures and verdict."""
    folder = played(runs, run_id, **story)
    found = analyse(read_frozen(folder.root))
    folder.measures.write_text(found.measures.model_dump_json(indent=2))
    folder.verdict.write_text(found.verdict.model_dump_json(indent=2))
    return folder
