"""``aguante run``: play experiments, print verdicts, exit by them."""

import asyncio
import contextlib
import secrets
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from aguante.commands.common import experiment_argument, load_all, testbed_option
from aguante.commands.recover import driver_for
from aguante.drivers.base import FaultError
from aguante.faults import HealError
from aguante.journal import JournalError
from aguante.load import LoadError
from aguante.plan import Plan
from aguante.planner import build_plan, new_run_id
from aguante.progress import LiveProgress, PlainProgress, Progress, QuietProgress
from aguante.recover import recover
from aguante.runner import RunRequest, StoppedEarlyError, run
from aguante.runtimes.base import TestbedError
from aguante.runtimes.native import NativeRuntime
from aguante.runtimes.state import default_parent
from aguante.spec import Experiment
from aguante.terminal import print_verdict, verdict_console
from aguante.testbed import TestbedSpec


@click.command("run")
@experiment_argument
@testbed_option
@click.option("--policy", help="Play with this policy instead of the experiment's own.")
@click.option(
    "--seed", type=click.IntRange(min=0), help="Repeat the random draws of an earlier run."
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder that receives one folder per run.",
)
@click.option("--quiet", is_flag=True, help="Print the verdicts alone.")
def run_command(
    experiments: tuple[Path, ...],
    testbed: Path | None,
    policy: str | None,
    seed: int | None,
    runs: Path,
    quiet: bool,
) -> int:
    """Play EXPERIMENT files on the real system, one after the other, and print a verdict for each.

    Starts five services, PostgreSQL and Toxiproxy natively, sends open-loop load, injects the faults,
    heals them, audits the databases, and writes a run folder with verdict.json and report.html.
    The exit code is the worst of all verdicts (see `aguante --help`). Ctrl-C heals first.
    """
    loaded = load_all(experiments, testbed)
    if loaded.invalid:
        return 3
    console = Console(stderr=True)
    left = asyncio.run(recover(runs, default_parent(), driver_for))
    for each in left:
        console.print(f"{each.run_id}: {each.fault_id}: {each.how or each.error}", soft_wrap=True)
    if any(each.error for each in left):
        return 4
    codes = []
    for path, experiment in loaded.experiments:
        plan = _plan(path, experiment, loaded.spec, policy, seed)
        request = RunRequest(experiment, plan, loaded.spec, path.read_bytes(), runs)
        codes.append(asyncio.run(_play(request, console, quiet)))
    return _worst(codes)


def _plan(
    path: Path, experiment: Experiment, spec: TestbedSpec, policy: str | None, seed: int | None
) -> Plan:
    if policy is not None and not (spec.policies / f"{policy}.yaml").exists():
        known = ", ".join(sorted(file.stem for file in spec.policies.glob("*.yaml")))
        message = f"--policy {policy}: no such file in {spec.policies}; there are: {known}"
        raise click.UsageError(message)
    chosen = experiment if policy is None else experiment.model_copy(update={"policy": policy})
    seeds = (seed, experiment.seed, secrets.randbelow(2**32))
    return build_plan(
        chosen,
        spec,
        run_id=new_run_id(experiment.name, datetime.now(UTC), secrets.token_hex(2)),
        seed=next(number for number in seeds if number is not None),
        source=str(path),
    )


async def _play(request: RunRequest, console: Console, quiet: bool) -> int:
    with _stop_on_signals() as stop, _progress(console, quiet) as progress:
        try:
            outcome = await run(request, NativeRuntime(), progress, stop)
        except StoppedEarlyError as error:
            click.echo(str(error), err=True)
            return 2
        except (TestbedError, HealError, JournalError, LoadError, FaultError) as error:
            click.echo(f"error: {error}", err=True)
            return 4
    print_verdict(verdict_console(), outcome.verdict, outcome.folder)
    return outcome.verdict.exit_code


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[asyncio.Event]:
    """SIGINT and SIGTERM set the event, however often they come; they interrupt nothing by themselves."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _progress(console: Console, quiet: bool) -> Iterator[Progress]:
    if quiet:
        yield QuietProgress()
    elif console.is_terminal:
        with LiveProgress(console) as live:
            yield live
    else:
        yield PlainProgress(console)


def _worst(codes: list[int]) -> int:
    """Of several runs the gravest code: a testbed that failed, then deviated, then inconclusive."""
    for code in (4, 1, 2):
        if code in codes:
            return code
    return 0
