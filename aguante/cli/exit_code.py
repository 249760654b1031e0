"""The exit codes of every command. They are a contract with CI pipelines and scripts."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The outcome of a command."""

    OK = 0
    """The verdict is the expected one, or the command succeeded."""
    DEVIATED = 1
    """An expectation was not met, or an invariant was violated."""
    INCONCLUSIVE = 2
    """The run proves nothing either way."""
    INVALID = 3
    """The experiment file or the command line is invalid; nothing was started."""
    TESTBED = 4
    """The testbed could not be started, or a fault could not be undone."""
    CRASH = 5
    """Aguante itself failed; this is never a verdict."""
    UNREAD = 141
    """The reader of the output closed it early (``| head``); the code of a program ended by SIGPIPE."""
