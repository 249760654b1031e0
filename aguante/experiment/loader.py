"""Reads a YAML file into an Experiment and checks syntax, shape, names and times; reports all faults at once."""

from pathlib import Path

from pydantic import ValidationError

from aguante.core.findings import InvalidFile, Problem
from aguante.core.shape_problems import shape_problems
from aguante.core.yaml_document import read_document
from aguante.experiment.experiment import Experiment, Origin
from aguante.experiment.fault_rules import fault_problems
from aguante.experiment.null_rules import null_problems
from aguante.experiment.references import reference_problems
from aguante.experiment.timing_rules import timing_problems
from aguante.experiment.variables import resolved
from aguante.testbed.testbed_spec import TestbedSpec


class InvalidExperiment(InvalidFile):
    """An experiment file that must not be run: exit code 3. Carries every fault of the file."""


def load_experiment(
    path: Path, testbed: TestbedSpec, sets: tuple[str, ...] = (), runtime: str = ""
) -> Experiment:
    """Read and check an experiment. Reads the file and the names of the policies, nothing else.

    Args:
        path: the file, as the user gave it; messages repeat it.
        testbed: the owner of links, services, mechanisms, policies and invariants.
        sets: ``name=value``: variables or values of the file that are replaced.
        runtime: refuse faults that it cannot apply; empty: check the file alone.

    Raises:
        InvalidExperiment: with every fault of the file, sorted by line.
    """
    document = read_document(path)
    if not isinstance(document.data, dict):
        raise InvalidExperiment(document.findings)
    document = resolved(document, sets, Experiment.model_fields)
    experiment, problems = _check_shape(document.data)
    data = document.data if isinstance(document.data, dict) else {}
    problems += reference_problems(data, testbed)
    problems += timing_problems(data)
    problems += fault_problems(data, testbed, runtime)
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


def _check_shape(data: object) -> tuple[Experiment | None, list[Problem]]:
    try:
        return Experiment.model_validate(data), []
    except ValidationError as error:
        return None, shape_problems(error, Experiment)


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """Each fault once: a misspelt key is not also missing, and the value of an unknown key is not checked."""
    unknown = {each.path for each in problems if each.unknown_key}
    meant = {(*each.path[:-1], each.meant) for each in problems if each.unknown_key}
    return [
        each
        for each in problems
        if each.unknown_key
        or (each.path not in unknown and (each.at_key or each.path not in meant))
    ]
