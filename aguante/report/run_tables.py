"""The measures of a run, arranged as tables and bars for the report. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aguante.measure.measures import Measures, PhaseMeasure, SecondCauses, SecondLatency
from aguante.plan.plan import Plan
from aguante.report import chart_geometry, formats
from aguante.report.palette import CauseStyle
from aguante.verdict.verdict import Verdict

BASELINE = "baseline"
FAULT = "fault"


@dataclass(frozen=True)
class Tile:
    """One key figure."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class PhaseCell:
    """The requests of one phase that ended with one cause."""

    requests: int
    share: float | None
    change: float | None
    """The difference from the share in the baseline; None in the baseline itself, or without one."""


@dataclass(frozen=True)
class CauseRow:
    """One cause in all phases."""

    style: CauseStyle
    origin: str
    link: str
    cells: tuple[PhaseCell, ...]


@dataclass(frozen=True)
class Slice:
    """A segment of a bar, in thousandths of its width."""

    key: str
    start: float
    length: float


@dataclass(frozen=True)
class SecondRow:
    """One second of the timeline, for the table below the chart."""

    second: int
    phase: str
    counts: tuple[int, ...]
    total: int
    latency: SecondLatency | None
    breakers: tuple[str, ...]


def tiles(measures: Measures, verdict: Verdict) -> tuple[Tile, ...]:
    """The key figures of a run."""
    met = sum(e.outcome == "met" for e in verdict.expectations)
    held = sum(i.outcome == "held" for i in verdict.invariants)
    affected = sum(f.attempts_bitten for f in verdict.faults)
    attempts = sum(f.attempts_in_window for f in verdict.faults)
    requests = sum(phase.requests for phase in verdict.phases)
    explained = formats.ratio(verdict.attribution.attributed, verdict.attribution.failures)
    return (
        Tile("Expectations met", f"{met} of {len(verdict.expectations)}", ""),
        Tile("Invariants held", f"{held} of {len(verdict.invariants)}", _settled(measures)),
        _goodput(verdict.phases),
        Tile("Recovery", _recovery(verdict), "after the last fault ended"),
        Tile(
            "Fault observed",
            f"{formats.count(affected)} of {formats.count(attempts)}",
            "attempts affected",
        ),
        Tile(
            "Failures explained",
            formats.percent(explained),
            f"in {formats.count(requests)} requests",
        ),
    )


def _settled(measures: Measures) -> str:
    if measures.settled is None:
        return "settling was not checked"
    if not measures.settled:
        return "the system did not settle"
    return f"settled after {formats.seconds(measures.settle_took_s)}"


def _goodput(phases: Sequence[PhaseMeasure]) -> Tile:
    by_name = {phase.phase: phase.goodput_rps for phase in phases}
    before = formats.per_second(by_name.get(BASELINE))
    return Tile(
        "Goodput in the fault",
        formats.per_second(by_name.get(FAULT)),
        f"200s; baseline {before}",
    )


def _recovery(verdict: Verdict) -> str:
    if verdict.recovery.outcome == "recovered":
        return formats.seconds(verdict.recovery.after_s)
    return verdict.recovery.outcome.replace("_", " ")


def cause_rows(
    phases: Sequence[PhaseMeasure], styles: Sequence[CauseStyle]
) -> tuple[CauseRow, ...]:
    """Rates by cause: one row per cause, one cell per phase."""
    causes = {(c.status, c.mechanism, c.origin, c.link) for phase in phases for c in phase.causes}
    by_pair = {(style.status, style.mechanism): style for style in styles}
    ordered = sorted(causes, key=lambda c: (by_pair[c[0], c[1]].rank, c))
    return tuple(CauseRow(by_pair[c[0], c[1]], c[2], c[3], _cells(phases, c)) for c in ordered)


def _cells(
    phases: Sequence[PhaseMeasure], cause: tuple[int, str, str, str]
) -> tuple[PhaseCell, ...]:
    counts = [_requests(phase, cause) for phase in phases]
    shares = [formats.ratio(n, phase.requests) for n, phase in zip(counts, phases, strict=True)]
    base = next((s for s, p in zip(shares, phases, strict=True) if p.phase == BASELINE), None)
    return tuple(
        PhaseCell(
            requests,
            share,
            None if phase.phase == BASELINE or share is None or base is None else share - base,
        )
        for requests, share, phase in zip(counts, shares, phases, strict=True)
    )


def _requests(phase: PhaseMeasure, cause: tuple[int, str, str, str]) -> int:
    return sum(
        c.requests for c in phase.causes if (c.status, c.mechanism, c.origin, c.link) == cause
    )


def slices(phase: PhaseMeasure, styles: Sequence[CauseStyle]) -> tuple[Slice, ...]:
    """The responses of a phase as one bar, by cause."""
    second = SecondCauses(second=0, causes=phase.causes)
    counts = chart_geometry.counts_of(second, styles)
    total = sum(counts)
    pieces, start = [], 0.0
    for style, requests in zip(styles, counts, strict=True):
        if requests:
            length = 1000 * requests / total
            pieces.append(Slice(style.key, round(start, 1), round(length, 1)))
            start += length
    return tuple(pieces)


def percentile(phase: PhaseMeasure, p: float) -> float | None:
    """The percentile of the latency of 200s in ms; None if it was not measured."""
    return next((q.value_ms for q in phase.latency_of_200 if q.p == p), None)


def second_rows(
    plan: Plan, measures: Measures, styles: Sequence[CauseStyle]
) -> tuple[SecondRow, ...]:
    """Every second of the run, in order."""
    latency = {row.second: row for row in measures.latency}
    states = chart_geometry.breaker_states(measures.breakers, chart_geometry.end_of(plan, measures))
    return tuple(
        SecondRow(
            second=second.second,
            phase=_phase_at(plan, second.second),
            counts=(counts := chart_geometry.counts_of(second, styles)),
            total=sum(counts),
            latency=latency.get(second.second),
            breakers=tuple(
                f"{span.breaker} {span.state.replace('_', '-')}"
                for span in states
                if span.from_s < second.second + 1 and span.to_s > second.second
            ),
        )
        for second in sorted(measures.seconds, key=lambda s: s.second)
    )


def _phase_at(plan: Plan, second: int) -> str:
    return next((w.phase for w in plan.phases if w.start_s <= second < w.end_s), "after the load")


def timeline_in_words(rows: Sequence[SecondRow], styles: Sequence[CauseStyle]) -> str:
    """The chart as text, for screen readers: the total of each cause and when it occurred."""
    sentences = []
    for place, style in enumerate(styles):
        seen = [row.second for row in rows if row.counts[place]]
        if seen:
            total = sum(row.counts[place] for row in rows)
            span = f"between second {seen[0]} and {seen[-1] + 1}"
            sentences.append(f"{style.label}: {formats.count(total)} responses {span}.")
    return " ".join(sentences) or "No request was measured."
