"""From a YAML file to an Experiment: reading, shape, names, times; all faults of a file at once."""

from pathlib import Path

from aguante.core.findings import InvalidExperiment, Problem
from aguante.core.yaml_document import read_document
from aguante.experiment.experiment import Experiment, Origin
from aguante.experiment.null_rules import null_problems
from aguante.experiment.references import reference_problems
from aguante.experiment.runtime_rules import runtime_problems
from aguante.experiment.shape import check_shape
from aguante.experiment.timing_rules import timing_problems
from aguante.experiment.variables import resolved
from aguante.testbed.testbed_spec import TestbedSpec


def load_experiment(
    path: Path, testbed: TestbedSpec, sets: tuple[str, ...] = (), runtime: str = ""
) -> Experiment:
    """Read and check an experiment. Reads the file and the names of the policies, nothing else.

    Args:
        path: the file, as the user gave it: messages repeat it.
        testbed: the owner of links, services, mechanisms, policies and invariants.
        sets: ``name=value``: variables or places of the file that get another value.
        runtime: refuse what it cannot do; empty: the file alone is looked at.

    Raises:
        InvalidExperiment: with every fault of the file, sorted by line.
    """
    document = read_document(path)
    if not isinstance(document.data, dict):
        raise InvalidExperiment(document.findings)
    document = resolved(document, sets, Experiment.model_fields)
    experiment, problems = check_shape(document.data)
    data = document.data if isinstance(document.data, dict) else {}
    problems += reference_problems(data, testbed)
    problems += timing_problems(data)
    problems += runtime_problems(data, runtime)
    problems += null_problems(data, problems)
    located = [document.locate(problem) for problem in _without_echoes(problems)]
    unread = {(each.line, each.where) for each in document.findings}
    legible = [each for each in located if (each.line, each.where) not in unread]
    findings = [*document.findings, *legible]
    if findings or experiment is None:
        raise InvalidExperiment(dict.fromkeys(findings))
    counts = {"expect": len(experiment.expect), "abort_when": len(experiment.abort_when)}
    places = {
        (key, at): f"{document.file}:{document.line((key, at))}"
        for key, count in counts.items()
        for at in range(count)
    }
    return experiment.read_from(Origin(document.raw, sets, places))


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """A misspelt key is not also missing, and what an unknown key holds is of no interest."""
    unknown = {each.path for each in problems if each.unknown_key}
    meant = {(*each.path[:-1], each.meant) for each in problems if each.unknown_key}
    return [
        each
        for each in problems
        if each.unknown_key
        or (each.path not in unknown and (each.at_key or each.path not in meant))
    ]
