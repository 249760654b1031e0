"""The undo journal of a run that is killed."""

import asyncio
import sys
from pathlib import Path

from aguante.faults.toxiproxy import ToxiproxyUndo
from aguante.run_folder.journal import Journal, pending, recoverable

RUN = """
import sys, pathlib
from aguante.faults.toxiproxy import ToxiproxyUndo
from aguante.run_folder.journal import Journal
journal = Journal.open(pathlib.Path(sys.argv[1]), "run-1")
journal.intend(ToxiproxyUndo(fault_id="slow", api="http://127.0.0.1:1", proxy="p", toxic="run-1-slow"))
print("intended", flush=True)
sys.stdin.read()
"""
LIMIT_S = 20.0


async def test_the_journal_of_a_killed_run_can_be_resumed(tmp_path: Path) -> None:
    """While the process lives the journal is locked; SIGKILL releases the lock, and the intent is there."""
    path = tmp_path / "run-1" / "journal.jsonl"
    path.parent.mkdir()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        str(path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            assert await process.stdout.readline() == b"intended\n"
        assert recoverable(tmp_path) == []
        assert Journal.resume(path) is None
    finally:
        process.kill()
        await process.wait()
    assert recoverable(tmp_path) == [path]
    assert pending(path) == [
        ToxiproxyUndo(fault_id="slow", api="http://127.0.0.1:1", proxy="p", toxic="run-1-slow")
    ]
