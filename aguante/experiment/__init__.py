"""The experiment language: a YAML file to a checked Experiment."""

from aguante.core.findings import Finding
from aguante.experiment.experiment import Experiment
from aguante.experiment.loader import InvalidExperiment, load_experiment

__all__ = ["Experiment", "Finding", "InvalidExperiment", "load_experiment"]
