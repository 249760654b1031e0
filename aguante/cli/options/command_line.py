"""The command line of this process."""

import shlex
import sys


def command_line() -> str:
    """The command as it was typed, for repeating it."""
    return shlex.join(["aguante", *sys.argv[1:]])
