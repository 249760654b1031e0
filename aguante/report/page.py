"""The page: one self-contained HTML file that opens offline and runs nothing that is not its own."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from aguante.measure.model import Measures
from aguante.plan import Plan
from aguante.report import charts, palette, series, text, view
from aguante.report.charts.latency import LINES
from aguante.report.palette import CauseStyle
from aguante.report.waterfall import services_of, waterfall
from aguante.verdict.model import Verdict


def render_html(plan: Plan, measures: Measures, verdict: Verdict) -> str:
    """The report as one HTML document of a few hundred kB.

    Everything that comes from files or answers is escaped; besides, the page's own Content-Security-Policy
    admits only the style sheet and the script whose hashes it names, and no network at all.

    Raises:
        ValueError: the chart library answered with something unknown.
    """
    causes = {(c.status, c.mechanism) for phase in verdict.phases for c in phase.causes}
    styles = palette.styles_of(causes | series.pairs_of(measures))
    sheet, script = _source("report.css") + _colours(styles), _source("report.js")
    return (
        _environment()
        .get_template("report.html")
        .render(
            plan=plan,
            measures=measures,
            verdict=verdict,
            styles=styles,
            tiles=view.tiles(measures, verdict),
            **_timeline(plan, measures, styles),
            cause_rows=view.cause_rows(verdict.phases, styles),
            slices=[view.slices(phase, styles) for phase in verdict.phases],
            services=(services := services_of(measures.samples)),
            waterfalls=[waterfall(trace, services) for trace in measures.samples],
            fault_names={f.id: series.fault_names(f)[0] for f in plan.faults},
            command=plan.command,
            sheet=Markup(sheet),  # noqa: S704  our own file
            script=Markup(script),  # noqa: S704  our own file
            policy=_policy(sheet, script),
        )
    )


def _timeline(plan: Plan, measures: Measures, styles: tuple[CauseStyle, ...]) -> dict[str, object]:
    """What the template's timeline shows: the drawings, and the same in numbers and in words."""
    timeline = charts.timeline_of(plan, measures, styles)
    rows = view.second_rows(plan, measures, styles)
    drawings = [(frame, charts.draw(timeline, frame)) for frame in charts.FRAMES]
    return {
        "measures_end": timeline.end_s,
        # Vega escapes the texts it draws, and a test attacks them.
        "frames": [(frame, Markup(svg)) for frame, svg in drawings],  # noqa: S704
        "lines": LINES,
        "seconds": rows,
        "in_words": view.timeline_in_words(rows, styles),
    }


def _policy(sheet: str, script: str) -> str:
    """The page's Content-Security-Policy: its own style and script by hash, nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(sheet)}'; script-src '{_hash(script)}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _colours(styles: Sequence[CauseStyle]) -> str:
    """The causes of this run as CSS variables, and the rule by which each can be brought forward."""
    light = "".join(f"--{s.key}:{s.light};--{s.key}-ink:{palette.ink_on(s.light)};" for s in styles)
    dark = "".join(f"--{s.key}:{s.dark};--{s.key}-ink:{palette.ink_on(s.dark)};" for s in styles)
    rules = "".join(
        f".{s.key}{{background:var(--{s.key});fill:var(--{s.key})}}"
        f".timeline:has(#only-{s.key}:checked) .cause_{s.key}_marks{{opacity:1}}"
        for s in styles
    )
    return (
        f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{rules}\n"
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("aguante.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for shown in (
        text.count,
        text.percent,
        text.points,
        text.milliseconds,
        text.seconds,
        text.exact_seconds,
        text.per_second,
        text.plural,
    ):
        environment.filters[shown.__name__] = shown
    environment.globals["percentile"] = view.percentile
    environment.globals["ratio"] = text.ratio
    environment.finalize = _printable
    return environment


def _printable(value: object) -> object:
    """Control characters have no place in a page; markup and numbers pass."""
    return text.printable(value) if type(value) is str else value


@cache
def _source(name: str) -> str:
    return (resources.files("aguante.report") / "templates" / name).read_text(encoding="utf-8")
