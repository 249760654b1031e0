"""The experiment language: a YAML file to a checked Experiment."""

from aguante.spec.experiment import Experiment
from aguante.spec.findings import Finding, InvalidExperiment
from aguante.spec.load import load_experiment

__all__ = ["Experiment", "Finding", "InvalidExperiment", "load_experiment"]
