"""Lets schemathesis loose on a gateway, as a user would: with its address, and nothing said about it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LIMIT_S = 240.0
CALLEES_FAIL = ("not_a_server_error", "positive_data_acceptance")
"""What a system with broken parts must fail, whatever its description says."""
STATE_IS_KEPT = ("positive_data_acceptance",)
"""A valid order is refused when its key was used for another one before: 422 ``key_reused``."""


def findings(
    url: str, folder: Path, *, examples: int, seed: int = 7, without: Sequence[str] = ()
) -> str:
    """Return what schemathesis has to say against the gateway at ``url``; empty when it finds nothing.

    ``folder``: where it may leave its files. ``without``: checks to leave out, with the reason above.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
    command += ["--checks", "all", "--max-examples", str(examples), "--seed", str(seed)]
    command += ["--suppress-health-check", "all", "--no-color", "--wait-for-schema", "5"]
    if without:
        command += ["--exclude-checks", ",".join(without)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    tested = "Test cases:" in done.stdout and "0 generated" not in done.stdout
    return "" if done.returncode == 0 and tested else done.stdout + done.stderr
