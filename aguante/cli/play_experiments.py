"""Runs experiments as ``aguante run`` was asked to: one in this process, or several as a suite."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aguante.cli.options.command_line import command_line
from aguante.cli.play_single import play_single
from aguante.cli.play_suite import play_suite
from aguante.cli.render.run_text import Terminal
from aguante.cli.render.verdict_text import print_suite
from aguante.experiment import Experiment
from aguante.run.single import SingleRun
from aguante.runtimes.chosen_runtime import ChosenRuntime
from aguante.suite.many_runs import Entry, Job, interleave
from aguante.suite.suite_runner import SuiteSettings, suite_of_one
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.suite_result import Suite


@dataclass(frozen=True)
class Rounds:
    """How experiments are run."""

    runs: Path
    """Folder of all runs."""
    runtime: ChosenRuntime
    policy: str | None
    """None: that of each experiment."""
    seed: int | None
    repeat: int
    jobs: int
    retries: int
    """How often an inconclusive run is repeated."""
    child_options: Sequence[str]


def play_experiments(
    experiments: Sequence[tuple[Path, Experiment]],
    spec: TestbedSpec,
    rounds: Rounds,
    terminal: Terminal,
) -> Suite:
    """Run every experiment in every round, until Ctrl-C at most; shows the verdicts.

    Raises:
        OSError: the folder of the suite cannot be written.
    """
    entries = [Entry.of(*each, spec, rounds.policy) for each in experiments]
    planned = interleave(entries, rounds.repeat, rounds.seed)
    if len(planned) == 1:
        return _play_one(planned[0], experiments[0][1], spec, rounds, terminal)
    settings = SuiteSettings(
        rounds.runs, rounds.jobs, rounds.retries, rounds.child_options, command_line()
    )
    suite, folder = play_suite(planned, settings, terminal.progress, quiet=terminal.quiet)
    print_suite(terminal.verdicts, suite, folder)
    return suite


def _play_one(
    job: Job, experiment: Experiment, spec: TestbedSpec, rounds: Rounds, terminal: Terminal
) -> Suite:
    started = datetime.now(UTC)
    wanted = SingleRun(
        experiment, spec, job.path, rounds.runs, job.policy, rounds.seed, rounds.runtime
    )
    return suite_of_one(play_single(wanted, terminal, rounds.retries), started, command_line())
