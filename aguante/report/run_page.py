"""The report of a run: one self-contained HTML file that works offline."""

from markupsafe import Markup

from aguante.collect.environment import Environment
from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.report import chart_geometry, charts, html_page, palette, run_tables
from aguante.report.charts.latency_chart import LINES
from aguante.report.palette import CauseStyle
from aguante.report.waterfall import services_of, waterfall
from aguante.verdict.verdict import Verdict


def render_html(
    plan: Plan, measures: Measures, verdict: Verdict, environment: Environment | None = None
) -> str:
    """The report as one HTML document of a few hundred kB.

    ``environment`` is None for a run of a version that did not record it; the page says so.

    Raises:
        ValueError: the chart library returned something that cannot be embedded.
    """
    causes = {(c.status, c.mechanism) for phase in verdict.phases for c in phase.causes}
    styles = palette.styles_of(causes | chart_geometry.pairs_of(measures))
    services = services_of(measures.samples)
    return html_page.render_page(
        "report.html",
        html_page.source("report.css") + html_page.colours(styles),
        html_page.source("report.js"),
        plan=plan,
        measures=measures,
        verdict=verdict,
        styles=styles,
        tiles=run_tables.tiles(measures, verdict),
        **_timeline(plan, measures, styles),
        cause_rows=run_tables.cause_rows(verdict.phases, styles),
        slices=[run_tables.slices(phase, styles) for phase in verdict.phases],
        services=services,
        waterfalls=[waterfall(trace, services) for trace in measures.samples],
        fault_names={f.id: chart_geometry.fault_names(f)[0] for f in plan.faults},
        command=plan.command,
        environment=environment,
    )


def _timeline(plan: Plan, measures: Measures, styles: tuple[CauseStyle, ...]) -> dict[str, object]:
    """The timeline as drawings, as a table and in words."""
    timeline = charts.timeline_of(plan, measures, styles)
    rows = run_tables.second_rows(plan, measures, styles)
    frames = charts.FRAMES if charts.can_draw() else ()
    drawings = [(size, charts.draw(timeline, size)) for size in frames]
    return {
        "measures_end": timeline.end_s,
        # Vega escapes the text it draws; a test checks this with hostile text.
        "frames": [(size, Markup(svg)) for size, svg in drawings],  # noqa: S704
        "lines": LINES,
        "seconds": rows,
        "in_words": run_tables.timeline_in_words(rows, styles),
    }
