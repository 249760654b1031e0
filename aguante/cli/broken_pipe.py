"""Keeps broken pipes and other exceptions from reading as a verdict.

Click exits with 1 on every broken pipe (here 1 means ``deviated``) and treats every EOFError as Ctrl-C (here
``inconclusive``). A lost connection of Aguante's own would thus be reported as a verdict. So click never sees either.
"""

import contextlib
import os
import select
from collections.abc import Iterator

_STREAMS = (1, 2)
"""Standard output and standard error."""


class HiddenFromClickError(Exception):
    """Wraps an exception that click would misinterpret; ``__cause__`` is the original."""


@contextlib.contextmanager
def hidden_from_click() -> Iterator[None]:
    """Hide from click the exceptions that it misinterprets; it still handles usage errors and Ctrl-C.

    Raises:
        HiddenFromClickError: in place of OSError, EOFError, and the SystemExit of rich on a broken pipe.
    """
    try:
        yield
    except (OSError, EOFError, SystemExit) as error:
        raise HiddenFromClickError from error


def is_broken_pipe(error: BaseException | None) -> bool:
    """Whether the error, or every error of a group, is a broken pipe (rich raises SystemExit instead)."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_broken_pipe(each) for each in error.exceptions)
    return isinstance(error, BrokenPipeError | SystemExit)


def discard_unread_output() -> bool:
    """Whether the reader of standard output or standard error is gone; further output is then discarded."""
    unread = [fd for fd in _STREAMS if _reader_is_gone(fd)]
    devnull = os.open(os.devnull, os.O_WRONLY) if unread else -1
    for fd in unread:  # otherwise Python fails to flush it at exit, and prints an error
        os.dup2(devnull, fd)
    return bool(unread)


def _reader_is_gone(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
