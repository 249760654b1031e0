"""The report as a short Markdown text, for a pull-request comment (GitHub Flavored Markdown)."""

import re
from collections.abc import Iterable, Sequence

from aguante.measure.measures import Measures, PhaseMeasure
from aguante.plan.plan import Plan
from aguante.report import formats, palette, run_tables
from aguante.verdict.verdict import Verdict

SIGNS = {
    "held": "\N{WHITE HEAVY CHECK MARK}",
    "met": "\N{WHITE HEAVY CHECK MARK}",
    "deviated": "\N{CROSS MARK}",
    "unmet": "\N{CROSS MARK}",
    "violated": "\N{CROSS MARK}",
    "error": "\N{CROSS MARK}",
}
_MARKUP = re.compile(r"([\\`*_{}\[\]<|~&#$])")
_OPENING = re.compile(r"^(\d*)([>+-]|[.)](?= |$))")
"""The start of a quotation or a list; only special at the beginning of a line."""
_LINKS = re.compile(r"(?i)(:)//|(www)\.|@")


def render_markdown(plan: Plan, measures: Measures, verdict: Verdict) -> str:
    """Verdict, headline, expectations, invariants and phases, short enough for a comment.

    Text from files or responses is escaped: it cannot create markup, links, mentions or table cells.
    """
    parts = [
        f"## {sign(verdict.verdict)} {verdict.verdict.upper()}: {escape(verdict.title)}",
        escape(verdict.headline),
        "\n".join(f"- {escape(reason)}" for reason in verdict.reasons),
        _expectations(verdict),
        _invariants(verdict),
        _phases(verdict),
        _last_line(plan, measures, verdict),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(words: str) -> str:
    """The text as one line of plain text in GFM, also inside a table."""
    line = " ".join(formats.printable(words).split())
    line = _OPENING.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", line))
    return _LINKS.sub(_unlinked, line)


def _unlinked(match: re.Match[str]) -> str:
    if match.group(1):
        return ":\\/\\/"
    return f"{match.group(2)}\\." if match.group(2) else "@\N{ZERO WIDTH SPACE}"


def sign(word: str) -> str:
    """A check mark, a cross, or a question mark."""
    return SIGNS.get(word, "\N{WHITE QUESTION MARK ORNAMENT}")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A GFM table; headings that begin with ``>`` align right. The cells must already be escaped."""
    rules = ["---:" if head.startswith(">") else "---" for head in heads]
    lines = [[head.lstrip(">") for head in heads], rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _expectations(verdict: Verdict) -> str:
    if not verdict.expectations:
        return ""
    rows = [
        (
            f"{sign(e.outcome)} {e.outcome}",
            escape(f"{e.text} ({e.reason})" if e.reason and e.outcome != "met" else e.text),
            escape(e.required),
            escape(e.observed),
            formats.count(e.n),
        )
        for e in verdict.expectations
    ]
    return table(("Outcome", "Expectation", ">Required", ">Observed", ">n"), rows)


def _invariants(verdict: Verdict) -> str:
    if not verdict.invariants:
        return ""
    rows = [
        (
            f"{sign(i.outcome)} {i.outcome}",
            escape(f"{i.name} ({i.measure.error})" if i.measure.error else i.name),
            formats.count(i.measure.exposure),
            formats.count(i.measure.violations),
        )
        for i in verdict.invariants
    ]
    return table(("Outcome", "Invariant", ">Exposure", ">Violations"), rows)


def _phases(verdict: Verdict) -> str:
    if not verdict.phases:
        return ""
    pairs = ((c.status, c.mechanism) for phase in verdict.phases for c in phase.causes)
    rows = [
        [
            escape(row.style.label + (f" on {row.link}" if row.link else "")),
            *(formats.percent(cell.share) for cell in row.cells),
        ]
        for row in run_tables.cause_rows(verdict.phases, palette.styles_of(pairs))
    ]
    rows.append(["200s per second", *(formats.per_second(p.goodput_rps) for p in verdict.phases)])
    rows.append(["p95 of the 200s", *(_p95(p) for p in verdict.phases)])
    return table(["Responses", *(f">{escape(p.phase)}" for p in verdict.phases)], rows)


def _p95(phase: PhaseMeasure) -> str:
    return formats.milliseconds(run_tables.percentile(phase, 0.95))


def _last_line(plan: Plan, measures: Measures, verdict: Verdict) -> str:
    ended = f" Ended early: {escape(measures.stopped)}." if measures.stopped else ""
    recovery = verdict.recovery.outcome.replace("_", " ")
    if verdict.recovery.after_s is not None:
        recovery += f" after {formats.seconds(verdict.recovery.after_s)}"
    return (
        f"Recovery: {recovery}.{ended} Run {escape(verdict.run_id)}, policy {escape(verdict.policy)},"
        f" runtime {escape(verdict.runtime)}, seed {verdict.seed}. Run it again: `{_code(plan.command)}`"
    )


def _code(words: str) -> str:
    """The text for a code span, which has no escapes: a backtick would end it."""
    return " ".join(formats.printable(words).replace("`", "'").split())
