"""An output that nobody reads to its end (``| head``) is no verdict, and neither is any other exception.

Click takes every broken pipe for "exit with 1", which is ``deviated`` here, and every end of a file for Ctrl-C,
which is ``inconclusive``: a lost connection of ours would be called a verdict. So neither ever reaches it.
"""

import contextlib
import os
import select
from collections.abc import Iterator

_STREAMS = (1, 2)
"""Standard output and standard error."""


class UnheardError(Exception):
    """A command that ended by an exception which click would misread; ``__cause__`` is that exception."""


@contextlib.contextmanager
def kept_from_click() -> Iterator[None]:
    """Wrap what click must not see; usage errors and Ctrl-C are still its own.

    Raises:
        UnheardError: in place of OSError, EOFError, and rich's exit on a broken pipe.
    """
    try:
        yield
    except (OSError, EOFError, SystemExit) as error:
        raise UnheardError from error


def is_broken_pipe(error: BaseException | None) -> bool:
    """Whether nothing else went wrong, also where tasks put it into a group; rich exits in its place."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_broken_pipe(each) for each in error.exceptions)
    return isinstance(error, BrokenPipeError | SystemExit)


def nobody_reads() -> bool:
    """Whether the reader of standard output or standard error has left; then what is still to come is dropped."""
    left = [fd for fd in _STREAMS if _has_left(fd)]
    nowhere = os.open(os.devnull, os.O_WRONLY) if left else -1
    for fd in left:  # else Python flushes at its end, and complains
        os.dup2(nowhere, fd)
    return bool(left)


def _has_left(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
