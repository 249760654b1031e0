"""Reads the run log ``events.jsonl``: t0, faults, load, settling."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from aguante.run_folder.events import (
    CollectorClosed,
    FaultChanged,
    LoadFinished,
    PhasesPublished,
    RunEvent,
    RunStarted,
    Settled,
    Stopped,
)

_EVENT: TypeAdapter[RunEvent] = TypeAdapter(RunEvent)


class EvidenceError(Exception):
    """A file of the run folder cannot be read. The message names the file, what was found and the fix."""


@dataclass(frozen=True)
class RunLog:
    """The events of a run by subject; None: the run did not get that far."""

    epoch_ns: int | None = None
    """Wall clock at t0, nanoseconds."""
    faults: tuple[FaultChanged, ...] = ()
    load: LoadFinished | None = None
    settled: Settled | None = None
    stopped: Stopped | None = None
    announced: PhasesPublished | None = None
    spans_dropped: int | None = None
    spans_lost_because: str = ""
    """Why the collector lost exports that were not sent again, or empty."""

    @property
    def rest(self) -> bool | None:
        """Whether the system settled; None: not checked, or its database could not be read at the end."""
        if self.settled is None or self.settled.unsettled is None:
            return None
        return self.settled.settled

    def began_s(self, fault: str) -> float | None:
        """The earliest time at which an applied fault can have had an effect, seconds since t0."""
        change = self._change(fault, "applied")
        if change is None:
            return None
        return change.at_s if change.began_s is None else change.began_s

    def applied_s(self, fault: str) -> float | None:
        """From when on a fault was certainly active, seconds since t0."""
        return self._when(fault, "applied")

    def undone_s(self, fault: str) -> float | None:
        """When a fault was undone, seconds since t0; after ``heal`` this is when it was verified."""
        undone_s = self._when(fault, "undone")
        return self._when(fault, "verified") if undone_s is None else undone_s

    def verified(self, fault: str) -> bool:
        """Whether the undo of a fault was verified."""
        return self._when(fault, "verified") is not None

    def evidence(self, fault: str) -> str:
        """What the driver read back while the fault was active, or why it could not be applied."""
        return self._evidence(fault, "applied")

    def evidence_after(self, fault: str) -> str:
        """What the driver read back when it verified the undo."""
        return self._evidence(fault, "verified")

    def _evidence(self, fault: str, action: str) -> str:
        found = (c.error or c.evidence for c in self.faults if (c.id, c.action) == (fault, action))
        return next(found, "")

    def _when(self, fault: str, action: str) -> float | None:
        change = self._change(fault, action)
        return None if change is None else change.at_s

    def _change(self, fault: str, action: str) -> FaultChanged | None:
        succeeded = (c for c in self.faults if (c.id, c.action, c.error) == (fault, action, ""))
        return next(succeeded, None)


def read_run_log(path: Path) -> RunLog:
    """Read the events; an incomplete last line is ignored, a missing file has no events.

    Raises:
        EvidenceError: a line inside the file is not an event.
    """
    events = _events(path)
    closed = next((each for each in reversed(events) if isinstance(each, CollectorClosed)), None)
    return RunLog(
        epoch_ns=next((each.epoch_ns for each in events if isinstance(each, RunStarted)), None),
        faults=tuple(each for each in events if isinstance(each, FaultChanged)),
        load=next((each for each in events if isinstance(each, LoadFinished)), None),
        settled=next((each for each in reversed(events) if isinstance(each, Settled)), None),
        stopped=next((each for each in events if isinstance(each, Stopped)), None),
        announced=next((each for each in events if isinstance(each, PhasesPublished)), None),
        spans_dropped=closed.spans_dropped if closed else None,
        spans_lost_because=_lost_because(closed) if closed else "",
    )


def _lost_because(closed: CollectorClosed) -> str:
    """A service sends a refused export again; lost is only what it finally counts as dropped."""
    if not closed.refused or closed.spans_dropped == 0:
        return ""
    return f"{closed.refused} exports of spans could not be written ({closed.refused_because})"


def _events(path: Path) -> list[RunEvent]:
    if not path.exists():
        return []
    events: list[RunEvent] = []
    for number, line in enumerate(complete_lines(path).splitlines(), start=1):
        try:
            events.append(_EVENT.validate_json(line))
        except ValidationError as error:
            message = f"{path}:{number}: not a run event ({error.error_count()} errors); fix: run the experiment again"
            raise EvidenceError(message) from error
    return events


def complete_lines(path: Path) -> bytes:
    """The file up to its last line end, without a last line that a killed writer left incomplete."""
    data = path.read_bytes()
    return data[: data.rfind(b"\n") + 1]
