"""How to start ``aguante`` as a process."""

import sys


def aguante_command(*arguments: str) -> list[str]:
    """The command line of ``aguante ...`` with the interpreter of this process."""
    return [sys.executable, "-m", "aguante", *arguments]
