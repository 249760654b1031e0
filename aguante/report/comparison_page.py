"""A comparison as text and as a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from aguante.measure.measures import Cause, PhaseMeasure
from aguante.report import formats, html_page, palette, run_tables
from aguante.report.differences import Comparison, Row, Unit
from aguante.report.palette import CauseStyle
from aguante.report.run_tables import Slice
from aguante.verdict.verdict import Verdict

VALUE: Mapping[Unit, Callable[[float | None], str]] = {
    "share": formats.percent,
    "ms": formats.milliseconds,
    "s": formats.seconds,
    "per_s": formats.per_second,
    "ratio": lambda value: formats.UNKNOWN if value is None else f"{value:.2f}",
    "count": lambda value: formats.UNKNOWN if value is None else f"{value:g}",
}


@dataclass(frozen=True)
class Strip:
    """The responses in one phase of one side, all its runs combined."""

    label: str
    phase: str
    slices: tuple[Slice, ...]


def difference(unit: Unit, value: float | None) -> str:
    """A difference with its sign; shares are in percentage points."""
    if value is None:
        return formats.UNKNOWN
    if unit == "share":
        return f"{formats.points(value)}{formats.SPACE}pp"
    shown = VALUE[unit](abs(value))
    return ("+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else "±") + shown


def interval(row: Row) -> str:
    """``+2.0 pp to +3.1 pp``, or a dash."""
    if row.low is None:
        return formats.UNKNOWN
    return f"{difference(row.unit, row.low)} to {difference(row.unit, row.high)}"


def comparison_text(found: Comparison) -> str:
    """Text for the terminal: a table per phase, without rows that are 0 or unknown on both sides."""
    a, b = found.a, found.b
    pairs = "pairs" if found.paired else "runs"
    lines = [
        f"A {a.label}: {len(a.runs)} {pairs}, {', '.join(a.verdicts)}",
        f"B {b.label}: {len(b.runs)} {pairs}, {', '.join(b.verdicts)}",
        *(f"note: {note}" for note in found.notes),
    ]
    heads = ("", "A", "B", "B - A", "95 % interval over runs")
    for group, rows in groupby(found.rows, key=lambda row: row.group):
        cells = [
            (
                row.what,
                VALUE[row.unit](row.a),
                VALUE[row.unit](row.b),
                difference(row.unit, row.difference),
                row.lacking or interval(row) + (" *" if row.clear else ""),
            )
            for row in rows
            if row.a or row.b
        ]
        lines += ["", group, *_aligned((heads, *cells))] if cells else []
    lines.append("")
    lines.append(found.no_interval_because or "* the interval excludes zero")
    return "\n".join(lines)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if at in (0, len(widths) - 1) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def comparison_html(
    found: Comparison, a: Sequence[Verdict], b: Sequence[Verdict], prefix: str = ".."
) -> str:
    """One self-contained page.

    Args:
        found: the comparison.
        a: the runs of side A, for the bars.
        b: the runs of side B.
        prefix: path from the page to the folder of all runs.
    """
    causes = [(c.status, c.mechanism) for v in (*a, *b) for p in v.phases for c in p.causes]
    styles = palette.styles_of(causes)
    return html_page.render_page(
        "compare.html",
        html_page.overview_sheet(styles),
        found=found,
        groups=[(name, list(rows)) for name, rows in groupby(found.rows, lambda r: r.group)],
        strips=_strips(((found.a.label, a), (found.b.label, b)), styles),
        styles=styles,
        value=lambda unit, number: VALUE[unit](number),
        difference=difference,
        interval=interval,
        href=lambda run: f"{prefix}/{quote(run)}/report.html",
    )


def _strips(
    sides: Sequence[tuple[str, Sequence[Verdict]]], styles: tuple[CauseStyle, ...]
) -> list[Strip]:
    phases = dict.fromkeys(p.phase for _, verdicts in sides for v in verdicts for p in v.phases)
    return [
        Strip(label, phase, run_tables.slices(pooled, styles))
        for phase in phases
        for label, verdicts in sides
        if (pooled := _pooled(verdicts, phase)) is not None
    ]


def _pooled(verdicts: Sequence[Verdict], phase: str) -> PhaseMeasure | None:
    """All requests in one phase of several runs, combined: only for drawing, never for an interval."""
    found = [p for v in verdicts for p in v.phases if p.phase == phase and p.requests]
    if not found:
        return None
    causes: tuple[Cause, ...] = tuple(c for p in found for c in p.causes)
    return found[0].model_copy(
        update={"causes": causes, "requests": sum(p.requests for p in found)}
    )


def write_comparison(
    found: Comparison, a: Sequence[Verdict], b: Sequence[Verdict], folder: Path, prefix: str
) -> Path:
    """Write ``compare.json``, ``compare.txt`` and ``compare.html``; returns the page.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "compare.json").write_text(found.model_dump_json(indent=2), encoding="utf-8")
    (folder / "compare.txt").write_text(comparison_text(found) + "\n", encoding="utf-8")
    page = folder / "compare.html"
    page.write_text(comparison_html(found, a, b, prefix), encoding="utf-8")
    return page
