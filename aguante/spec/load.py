"""From a YAML file to an Experiment: reading, shape, names, times; all faults of a file at once."""

from pathlib import Path

from aguante.spec.document import read_document
from aguante.spec.experiment import Experiment
from aguante.spec.findings import InvalidExperiment, Problem
from aguante.spec.references import reference_problems
from aguante.spec.shape import check_shape
from aguante.spec.timing_rules import timing_problems
from aguante.testbed import TestbedSpec


def load_experiment(path: Path, testbed: TestbedSpec) -> Experiment:
    """Read and check an experiment. Reads the file and the names of the policies, nothing else.

    Args:
        path: the file, as the user gave it: messages repeat it.
        testbed: the owner of links, services, mechanisms, policies and invariants.

    Raises:
        InvalidExperiment: with every fault of the file, sorted by line.
    """
    document = read_document(path)
    if not isinstance(document.data, dict):
        raise InvalidExperiment(document.findings)
    experiment, problems = check_shape(document.data)
    problems += reference_problems(document.data, testbed)
    problems += timing_problems(document.data)
    problems = _without_echoes(problems)
    findings = (*document.findings, *(document.locate(problem) for problem in problems))
    if findings or experiment is None:
        raise InvalidExperiment(dict.fromkeys(findings))
    count = len(experiment.expect)
    return experiment.placed(
        tuple(f"{path}:{document.line(('expect', at))}" for at in range(count))
    )


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """A key that was misspelt is not reported as missing too."""
    meant = {(*problem.path[:-1], problem.meant) for problem in problems if problem.meant}
    return [each for each in problems if each.at_key or each.path not in meant]
