"""Copies process logs from the testbed's private folder into the run folder."""

from pathlib import Path

LOG_MAX_BYTES = 64 * 2**20
"""Of a longer log only the end is copied."""


def copy_logs(source: Path, target: Path, max_bytes: int = LOG_MAX_BYTES) -> list[Path]:
    """Copy the files of ``source`` into ``target`` and return the copies; a missing ``source`` has no files.

    Raises:
        OSError: a log cannot be read or ``target`` cannot be written.
    """
    logs = sorted(path for path in source.iterdir() if path.is_file()) if source.is_dir() else []
    return [_copy_end(log, target / log.name, max_bytes) for log in logs]


def _copy_end(source: Path, target: Path, max_bytes: int) -> Path:
    with source.open("rb") as log:
        size = log.seek(0, 2)
        log.seek(max(0, size - max_bytes))
        target.write_bytes(log.read(max_bytes))
    return target


def last_lines(text: str, count: int) -> str:
    """Return the last lines of a log, indented and shortened, for an error message; a note if there are none."""
    last = text.strip().splitlines()[-count:]
    return "\n".join(f"  {line[:400]}" for line in last) or "  (no output)"
