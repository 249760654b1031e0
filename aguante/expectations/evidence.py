"""What an expectation may ask about a run. ``aguante/measure`` implements it on a run folder.

It is a Protocol so that kinds stand below the stages that read run folders (docs/adr/0013).
"""

from typing import Any, Protocol

import msgspec

from aguante.core.values import Value
from aguante.testbed.testbed_spec import TestbedSpec

Row = tuple[Any, ...]


class LoadMeasure(Value):
    """Offered against achieved load."""

    offered: int
    sent: int
    shed: int
    offered_rps: float
    achieved_rps: float
    lateness_p50_ms: float | None
    lateness_p99_ms: float | None


class PromqlResult(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one PromQL query over a window: a line of ``promql.jsonl``."""

    query: str
    start_s: float
    end_s: float
    """Of the window, seconds since t0."""
    series: int = 0
    """How many the query gave."""
    labels: tuple[dict[str, str], ...] = ()
    """Of the first few series."""
    points: tuple[tuple[float, float | None], ...] = ()
    """(seconds since t0, value) of the only series; None: not a number."""
    error: str = ""
    """Why there is no result, or empty."""


class Evidence(Protocol):
    """A run as SQL tables, and what else is known about it. Times are seconds since t0.

    Tables: ``requests`` (one row a request, with its phase and the end of its response), ``spans``,
    ``span_events``, ``traces`` (spans of each trace) and ``attempts`` (every attempt on every link, as its
    caller saw it). ``asked(phase, operation, after_s, before_s)`` gives the requests of a part of a phase.
    """

    def rows(self, sql: str, **parameters: object) -> list[Row]:
        """All rows of a query; parameters as ``$name``."""
        ...

    def row(self, sql: str, **parameters: object) -> Row:
        """The only row of an aggregate."""
        ...

    @property
    def testbed(self) -> TestbedSpec:
        """The system under test."""
        ...

    def window(self, phase: str) -> tuple[float, float]:
        """``[start, end)`` of a phase; raises KeyError."""
        ...

    @property
    def has_faults(self) -> bool:
        """Whether any fault was planned."""
        ...

    @property
    def first_fault_s(self) -> float | None:
        """When the first fault was really applied; None: none was."""
        ...

    @property
    def last_undo_s(self) -> float | None:
        """When the last fault was really undone; None: one is still there, or none was applied."""
        ...

    @property
    def load_end_s(self) -> float:
        """When load ended: as planned, or when the run was stopped."""
        ...

    @property
    def spans_incomplete_because(self) -> str:
        """Why nothing follows from what spans do *not* show; empty: they are complete."""
        ...

    @property
    def load(self) -> LoadMeasure:
        """Offered against achieved load of the whole run."""
        ...

    def promql(self, query: str, start_s: float, end_s: float) -> PromqlResult | None:
        """What Prometheus gave for a query over a window; None: it was not asked."""
        ...
