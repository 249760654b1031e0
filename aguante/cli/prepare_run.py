"""What every command does before its first run."""

import asyncio
from pathlib import Path

from rich.console import Console

from aguante.cli.diagnose.process_limits import require_process_limits
from aguante.cli.options.runs_option import writable
from aguante.run.recover_runs import recover
from aguante.runtimes.chosen_runtime import RuntimeName
from aguante.runtimes.testbed_state import default_parent
from aguante.testbed.testbed_spec import TestbedSpec


def prepare(runs: Path, spec: TestbedSpec, runtime: RuntimeName, console: Console) -> bool:
    """Check what a run needs, and undo the faults that killed runs left behind; False if one could not be undone.

    Raises:
        TestbedError: a run could not succeed, or could not be journaled.
    """
    require_process_limits(runtime, spec)
    writable(runs)
    left = asyncio.run(recover(runs, default_parent()))
    for each in left:
        text = f"{each.run_id}: {each.fault_id}: {each.how or each.error}"
        console.print(text, markup=False, soft_wrap=True)
    return not any(each.error for each in left)
