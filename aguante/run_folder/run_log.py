"""What the runner itself wrote down about a run, read from ``events.jsonl``: t0, faults, load, settling."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from aguante.run_folder.events import (
    Announced,
    CollectorClosed,
    FaultChanged,
    LoadFinished,
    RunEvent,
    RunStarted,
    Settled,
    Stopped,
)

_EVENT: TypeAdapter[RunEvent] = TypeAdapter(RunEvent)


class EvidenceError(Exception):
    """Evidence of a run folder that cannot be read. Says which file, what was found, how to fix it."""


@dataclass(frozen=True)
class RunFacts:
    """The runner's diary by subject; None where it never got to that."""

    epoch_ns: int | None = None
    """Wall clock at t0, nanoseconds."""
    faults: tuple[FaultChanged, ...] = ()
    load: LoadFinished | None = None
    settled: Settled | None = None
    stopped: Stopped | None = None
    announced: Announced | None = None
    spans_dropped: int = -1
    """-1: not known."""
    spans_lost_because: str = ""
    """Why the collector could not keep exports that nobody sent again, or empty."""

    @property
    def rest(self) -> bool | None:
        """Whether the system came to rest; None: not asked, or its database could not be read at the end."""
        unread = self.settled is None or (not self.settled.settled and self.settled.unsettled < 0)
        return None if unread or self.settled is None else self.settled.settled

    def began_s(self, fault: str) -> float | None:
        """The earliest moment at which a fault that was applied can have been felt, seconds since t0."""
        done = self._done(fault, "applied")
        if done is None:
            return None
        return done.at_s if done.began_s is None else done.began_s

    def applied_s(self, fault: str) -> float | None:
        """From when on a fault certainly held, seconds since t0."""
        return self._when(fault, "applied")

    def undone_s(self, fault: str) -> float | None:
        """When a fault was really undone, seconds since t0; healing notes only that it was verified."""
        undone_s = self._when(fault, "undone")
        return self._when(fault, "verified") if undone_s is None else undone_s

    def verified(self, fault: str) -> bool:
        """Whether it was read back that a fault is undone."""
        return self._when(fault, "verified") is not None

    def evidence(self, fault: str) -> str:
        """What the driver read back while the fault held, or why it could not be applied."""
        return self._said(fault, "applied")

    def evidence_after(self, fault: str) -> str:
        """What the driver read back when it verified the undo."""
        return self._said(fault, "verified")

    def _said(self, fault: str, action: str) -> str:
        said = (c.error or c.evidence for c in self.faults if (c.id, c.action) == (fault, action))
        return next(said, "")

    def _when(self, fault: str, action: str) -> float | None:
        done = self._done(fault, action)
        return None if done is None else done.at_s

    def _done(self, fault: str, action: str) -> FaultChanged | None:
        good = (c for c in self.faults if c.id == fault and c.action == action and not c.error)
        return next(good, None)


def read_facts(path: Path) -> RunFacts:
    """Read the diary; a torn last line is left out, a missing file is an empty diary.

    Raises:
        EvidenceError: a line inside the file is not an event.
    """
    events = _events(path)
    closed = next((each for each in reversed(events) if isinstance(each, CollectorClosed)), None)
    return RunFacts(
        epoch_ns=next((each.epoch_ns for each in events if isinstance(each, RunStarted)), None),
        faults=tuple(each for each in events if isinstance(each, FaultChanged)),
        load=next((each for each in events if isinstance(each, LoadFinished)), None),
        settled=next((each for each in reversed(events) if isinstance(each, Settled)), None),
        stopped=next((each for each in events if isinstance(each, Stopped)), None),
        announced=next((each for each in events if isinstance(each, Announced)), None),
        spans_dropped=closed.spans_dropped if closed else -1,
        spans_lost_because=_lost_because(closed) if closed else "",
    )


def _lost_because(closed: CollectorClosed) -> str:
    """A service that was refused sends again; only what it then counts as dropped is lost."""
    if not closed.refused or closed.spans_dropped == 0:
        return ""
    return f"{closed.refused} exports of spans could not be kept ({closed.refused_because})"


def _events(path: Path) -> list[RunEvent]:
    if not path.exists():
        return []
    events: list[RunEvent] = []
    for number, line in enumerate(whole_lines(path).splitlines(), start=1):
        try:
            events.append(_EVENT.validate_json(line))
        except ValidationError as error:
            message = f"{path}:{number}: not a run event ({error.error_count()} faults): run again"
            raise EvidenceError(message) from error
    return events


def whole_lines(path: Path) -> bytes:
    """The file up to its last line end: what a killed writer left half-written is cut."""
    data = path.read_bytes()
    return data[: data.rfind(b"\n") + 1]
