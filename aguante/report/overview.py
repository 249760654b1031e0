"""The overview of many runs: a page, a pull-request comment, JUnit XML, and ``suite.json``.

The files are in the folder of the suite; the page links to the report of each run. Details of a run come from its
``verdict.json`` and ``junit.xml``.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from aguante.measure.measures import PhaseMeasure
from aguante.report import formats, html_page, palette, run_tables
from aguante.report.markdown import escape, sign, table
from aguante.report.palette import CauseStyle
from aguante.report.run_tables import Slice, Tile
from aguante.run_folder.folder import RunFolder
from aguante.verdict.suite_result import Suite, SuiteRun
from aguante.verdict.verdict import Verdict


@dataclass(frozen=True)
class OverviewRun:
    """A run of the suite, with its verdict."""

    run: SuiteRun
    verdict: Verdict | None
    href: str
    """Its report, relative to the folder of the suite; empty if there is none."""
    log: str
    slices: tuple[Slice, ...]
    """The responses in its fault phase, by cause."""
    in_words: str
    """The same as text, for screen readers."""

    @property
    def fault(self) -> PhaseMeasure | None:
        """The measures of its fault phase."""
        return _fault_phase(self.verdict)


@dataclass(frozen=True)
class Group:
    """All rounds of one experiment under one policy."""

    experiment: str
    title: str
    policy: str
    runs: tuple[OverviewRun, ...]

    @property
    def agreement(self) -> str:
        """``3 of 3 held``, or how they differ."""
        words = [each.run.verdict for each in self.runs]
        counts = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
        if len(counts) == 1:
            return f"{len(words)} of {len(words)} {words[0]}" if len(words) > 1 else words[0]
        return "not repeatable: " + ", ".join(counts)


def write_overview(suite: Suite, folder: Path) -> None:
    """Write ``suite.json``, ``overview.html``, ``overview.md`` and ``junit.xml``.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / "suite.json").write_text(suite.model_dump_json(indent=2), encoding="utf-8")
    (folder / "overview.html").write_text(overview_html(suite, folder.parent), encoding="utf-8")
    (folder / "overview.md").write_text(overview_markdown(suite), encoding="utf-8")
    (folder / "junit.xml").write_text(overview_junit(suite, folder.parent), encoding="utf-8")


def overview_html(suite: Suite, runs: Path) -> str:
    """One self-contained page.

    Args:
        suite: the runs and their results.
        runs: the folder of the run folders.
    """
    verdicts = [_verdict_of(run, runs) for run in suite.runs]
    styles = _styles(verdicts)
    lines = [_line(run, verdict, styles) for run, verdict in zip(suite.runs, verdicts, strict=True)]
    return html_page.render_page(
        "overview.html",
        html_page.overview_sheet(styles),
        suite=suite,
        word=word_of(suite),
        summary=summary_of(suite),
        tiles=_tiles(suite),
        groups=_groups(lines),
        styles=styles,
    )


def word_of(suite: Suite) -> str:
    """The verdict whose colour the suite has: ``held`` if every run ended as expected."""
    return {0: "held", 1: "deviated", 2: "inconclusive"}.get(suite.exit_code, "error")


def summary_of(suite: Suite) -> str:
    """``5 of 6 runs ended as expected: 1 deviated.``"""
    good = sum(run.exit_code == 0 for run in suite.runs)
    wrong = [run.verdict for run in suite.runs if run.exit_code != 0]
    counts = ", ".join(f"{wrong.count(word)} {word}" for word in dict.fromkeys(wrong))
    left = suite.planned - len(suite.runs)
    begun = f" Stopped: {left} were not started." if left else ""
    return (
        f"{good} of {suite.planned} runs ended as expected{f': {counts}' if counts else ''}.{begun}"
    )


def _tiles(suite: Suite) -> tuple[Tile, ...]:
    words = [run.verdict for run in suite.runs]
    again = sum(run.attempts - 1 for run in suite.runs)
    good = sum(run.exit_code == 0 for run in suite.runs)
    return (
        Tile("As expected", f"{good} of {suite.planned}", "runs"),
        Tile("Held", str(words.count("held")), ""),
        Tile("Deviated", str(words.count("deviated")), "an expectation or invariant was violated"),
        Tile("Inconclusive", str(words.count("inconclusive")), "the run proves nothing"),
        Tile("Repeated", str(again), "after an inconclusive attempt"),
        Tile("Duration", formats.seconds(suite.took_s), f"{suite.jobs} at a time"),
    )


def _styles(verdicts: Sequence[Verdict | None]) -> tuple[CauseStyle, ...]:
    phases = [phase for each in verdicts if (phase := _fault_phase(each))]
    return palette.styles_of((c.status, c.mechanism) for phase in phases for c in phase.causes)


def _fault_phase(verdict: Verdict | None) -> PhaseMeasure | None:
    phases = verdict.phases if verdict else ()
    return next((phase for phase in phases if phase.phase == run_tables.FAULT), None)


def _verdict_of(run: SuiteRun, runs: Path) -> Verdict | None:
    """The verdict of a run; None if it has none, or if this version cannot read it."""
    try:
        return Verdict.model_validate_json((runs / run.run_id / "verdict.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _line(run: SuiteRun, verdict: Verdict | None, styles: tuple[CauseStyle, ...]) -> OverviewRun:
    phase = _fault_phase(verdict)
    return OverviewRun(
        run=run,
        verdict=verdict,
        href=f"../{quote(run.run_id)}/report.html" if verdict else "",
        log=quote(run.log),
        slices=run_tables.slices(phase, styles) if phase and phase.requests else (),
        in_words=_shares(phase) if phase else "",
    )


def _shares(phase: PhaseMeasure) -> str:
    """The share of each status and mechanism, as in the bar."""
    counts = Counter[str]()
    for each in phase.causes:
        counts[f"{each.status} {each.mechanism}".strip()] += each.requests
    return ", ".join(
        f"{cause} {formats.percent(formats.ratio(requests, phase.requests))}"
        for cause, requests in counts.most_common()
    )


def _groups(lines: Sequence[OverviewRun]) -> tuple[Group, ...]:
    grouped: dict[tuple[str, str, str], list[OverviewRun]] = {}
    for line in lines:
        key = (line.run.experiment, line.run.policy, line.run.title)
        grouped.setdefault(key, []).append(line)
    return tuple(
        Group(experiment, title, policy, tuple(runs))
        for (experiment, policy, title), runs in grouped.items()
    )


def overview_markdown(suite: Suite) -> str:
    """The overview for a pull-request comment; everything is escaped."""
    rows = [
        (
            f"{sign(run.verdict)} {run.verdict}",
            escape(run.experiment),
            escape(run.policy),
            str(run.repeat),
            str(run.attempts),
            formats.seconds(run.took_s),
            escape(run.headline),
        )
        for run in suite.runs
    ]
    heads = ("Verdict", "Experiment", "Policy", ">Round", ">Attempts", ">Duration", "What happened")
    parts = (
        f"## {sign(word_of(suite))} {escape(summary_of(suite))}",
        table(heads, rows),
        f"Suite {escape(suite.suite_id)}, {suite.jobs} at a time, {formats.seconds(suite.took_s)}.",
    )
    return "\n\n".join(parts) + "\n"


def overview_junit(suite: Suite, runs: Path) -> str:
    """The test suites of all runs in one file; a run without a verdict becomes an error."""
    suites = ET.Element("testsuites")
    for run in suite.runs:
        suites.append(_suite_of(run, runs))
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _suite_of(run: SuiteRun, runs: Path) -> ET.Element:
    name = formats.printable(f"aguante.{run.experiment} policy {run.policy} round {run.repeat}")
    junit = RunFolder(runs / run.run_id).junit
    if run.run_id and junit.exists():
        found = ET.parse(junit).getroot().find("testsuite")  # noqa: S314  a file of our own
        if found is not None:
            found.set("name", name)
            return found
    suite = ET.Element("testsuite", name=name, tests="1", failures="0", errors="1", skipped="0")
    case = ET.SubElement(
        suite, "testcase", classname=name, name=f"verdict is {run.expected_verdict}", time="0"
    )
    ET.SubElement(case, "error", message=formats.printable(f"{run.verdict}: {run.headline}"))
    return suite
