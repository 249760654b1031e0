"""Writes the run log: appends RunEvents to ``events.jsonl`` and flushes each."""

from pathlib import Path
from typing import Self

from aguante.run_folder.events import RunEvent


class EventLog:
    """Append-only. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def write(self, event: RunEvent) -> None:
        """Append one event.

        Raises:
            OSError: it cannot be written.
        """
        self._file.write(event.model_dump_json() + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
