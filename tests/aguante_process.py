"""Starts ``aguante`` as a process, as a shell does."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from aguante.core.own_program import aguante_command

ROOT = Path(__file__).parents[1]
LIMIT_S = 120.0


def run_aguante(
    *arguments: str | Path, env: Mapping[str, str] | None = None, limit_s: float = LIMIT_S
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, in the repository's root; ``env`` is added to the environment."""
    return subprocess.run(
        aguante_command(*map(str, arguments)),
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def start_aguante(
    *arguments: str | Path, env: Mapping[str, str] | None = None, **streams: object
) -> "subprocess.Popen[str]":
    """Start a command in the repository's root; ``streams`` are options of ``subprocess.Popen``."""
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        aguante_command(*map(str, arguments)),
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        text=True,
        **streams,
    )
