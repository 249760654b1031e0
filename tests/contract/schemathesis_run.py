"""Lets schemathesis loose on a gateway, as a user would: with its address, and nothing said about it."""

import subprocess
import sys
from pathlib import Path

LIMIT_S = 240.0
WHOLE_FAILS = "not_a_server_error,positive_data_acceptance"
"""What a system with broken parts must fail, whatever its description says; all other checks stay."""


def findings(
    url: str, folder: Path, *, examples: int, seed: int = 7, callees_fail: bool = False
) -> str:
    """Return what schemathesis has to say against the gateway at ``url``; empty when it finds nothing.

    ``folder``: where it may leave its files. ``callees_fail``: leave out the checks that this alone would fail.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
    command += ["--checks", "all", "--max-examples", str(examples), "--seed", str(seed)]
    command += ["--suppress-health-check", "all", "--no-color", "--wait-for-schema", "5"]
    if callees_fail:
        command += ["--exclude-checks", WHOLE_FAILS]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    tested = "Test cases:" in done.stdout and "0 generated" not in done.stdout
    return "" if done.returncode == 0 and tested else done.stdout + done.stderr
