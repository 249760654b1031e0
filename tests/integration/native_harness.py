"""The processes and folders of native testbeds."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from aguante.runtimes.testbed_state import folders


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return the processes whose standard output is a file below ``folder``, which a testbed there has started."""
    found = []
    for process in psutil.process_iter():
        try:
            output = Path(f"/proc/{process.pid}/fd/1").readlink()
        except OSError:
            continue
        if output.is_relative_to(folder):
            found.append(process)
    return found


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Provide a folder for testbeds that PostgreSQL's account can traverse; none may be left in it."""
    parent = Path(tempfile.mkdtemp(prefix="aguante-test-"))
    parent.chmod(0o711)
    try:
        yield parent
    finally:
        left, running = folders(parent), processes_in(parent)
        for process in running:
            process.kill()
        shutil.rmtree(parent)
    assert left == ()
    assert running == []


def wait_until_gone(folder: Path, limit_s: float = 10.0) -> None:
    """Wait until no process of a testbed below ``folder`` is left."""
    deadline = time.monotonic() + limit_s
    while processes_in(folder):
        assert time.monotonic() < deadline, processes_in(folder)
        time.sleep(0.02)
