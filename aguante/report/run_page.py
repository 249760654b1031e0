"""The page: one self-contained HTML file that opens offline and runs nothing that is not its own."""

from markupsafe import Markup

from aguante.collect.environment import Environment
from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.report import charts, frame, palette, series, view
from aguante.report.charts.latency_chart import LINES
from aguante.report.palette import CauseStyle
from aguante.report.waterfall import services_of, waterfall
from aguante.verdict.verdict import Verdict


def render_html(
    plan: Plan, measures: Measures, verdict: Verdict, environment: Environment | None = None
) -> str:
    """The report as one HTML document of a few hundred kB.

    ``environment`` is None for a run of a version that did not note it; the page says so.

    Everything that comes from files or answers is escaped; besides, the page's own Content-Security-Policy
    admits only the style sheet and the script whose hashes it names, and no network at all.

    Raises:
        ValueError: the chart library answered with something unknown.
    """
    causes = {(c.status, c.mechanism) for phase in verdict.phases for c in phase.causes}
    styles = palette.styles_of(causes | series.pairs_of(measures))
    sheet = frame.source("report.css") + frame.colours(styles)
    script = frame.source("report.js")
    return (
        frame.environment()
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
            environment=environment,
            sheet=Markup(sheet),  # noqa: S704  our own file
            script=Markup(script),  # noqa: S704  our own file
            policy=frame.content_policy(sheet, script),
        )
    )


def _timeline(plan: Plan, measures: Measures, styles: tuple[CauseStyle, ...]) -> dict[str, object]:
    """What the template's timeline shows: the drawings, and the same in numbers and in words."""
    timeline = charts.timeline_of(plan, measures, styles)
    rows = view.second_rows(plan, measures, styles)
    frames = charts.FRAMES if charts.can_draw() else ()
    drawings = [(size, charts.draw(timeline, size)) for size in frames]
    return {
        "measures_end": timeline.end_s,
        # Vega escapes the texts it draws, and a test attacks them.
        "frames": [(size, Markup(svg)) for size, svg in drawings],  # noqa: S704
        "lines": LINES,
        "seconds": rows,
        "in_words": view.timeline_in_words(rows, styles),
    }
