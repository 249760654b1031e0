"""The parts of every dashboard: variables, fault annotations, and links to Jaeger and to the other dashboards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.panels import JAEGER, PROMETHEUS, Panels
from dashboards.queries import ANSWERS, FAULT_ACTIVE, OF_RUN, PHASE

TAG = "aguante"
ALL = dashboard.VariableOption(text="All", value="$__all")


class Windows(dashboard.AnnotationQuery):
    """An annotation from Prometheus: adjacent points above 0 form one region.

    The SDK supports only Grafana's own annotations: the target and the texts of a Prometheus annotation are added
    here, as Grafana's Prometheus datasource reads them since 11.6.2 and 12.0.1.
    """

    def __init__(self, name: str, expr: str, colour: str, text_format: str) -> None:
        super().__init__(name, PROMETHEUS, icon_color=colour)
        self._expr = expr
        self._text_format = text_format

    def to_json(self) -> dict[str, object]:
        """The SDK's fields and the added ones."""
        query = prometheus.Dataquery().ref_id("Anno").expr(self._expr).interval("1s").range()
        added = {"titleFormat": self.name, "textFormat": self._text_format, "tagKeys": "kind"}
        return {**super().to_json(), **added, "target": query.datasource(PROMETHEUS).build()}


class _Built(Builder[dashboard.AnnotationQuery]):
    def __init__(self, annotation: dashboard.AnnotationQuery) -> None:
        self._annotation = annotation

    def build(self) -> dashboard.AnnotationQuery:
        return self._annotation


def frame(uid: str, title: str, about: str, *, service: bool = False) -> builders.Dashboard:
    """A dashboard without panels; ``service``: with a variable to select a service."""
    board = builders.Dashboard(title).uid(uid).description(about).tags([TAG]).readonly()
    board = board.time("now-15m", "now").refresh("5s").timezone("browser")
    board = board.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    board = board.with_variable(_variable("run", "Run", f"label_values({PHASE}, run_id)"))
    of_run = f'label_values({PHASE}{{run_id=~"$run"}}, experiment)'
    board = board.with_variable(_variable("experiment", "Experiment", of_run))
    if service:
        services = f"label_values({ANSWERS}, service)"
        board = board.with_variable(_variable("service", "Service", services))
    trace = builders.TextBoxVariable("trace_id").label("Trace id").default_value("")
    board = board.with_variable(
        trace.description("For the link to Jaeger: the trace id of a log line or response.")
    )
    for windows in (
        Windows(
            "fault",
            f"{FAULT_ACTIVE}{{{OF_RUN}}}",
            "red",
            "{{fault}}: {{kind}} on {{link}}{{service}}",
        ),
        Windows("phase", f"{PHASE}{{{OF_RUN}}}", "rgba(120, 120, 120, 0.3)", "{{phase}}"),
    ):
        board = board.annotation(_Built(windows))
    for link in _links():
        board = board.link(link)
    return board


def filled(board: builders.Dashboard, rows: Mapping[str, Panels]) -> builders.Dashboard:
    """Add rows, given by title, with their panels from left to right."""
    for title, panels in rows.items():
        board = board.with_row(builders.Row(title))
        for panel in panels:
            board = board.with_panel(panel())
    return board


def _variable(name: str, label: str, query: str) -> builders.QueryVariable:
    variable = builders.QueryVariable(name).label(label).datasource(PROMETHEUS).query(query)
    variable = variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).current(ALL)
    variable = variable.sort(dashboard.VariableSort.ALPHABETICAL_DESC)
    return variable.include_all(True).all_value(".*")


def _links() -> list[builders.DashboardLink]:
    others = builders.DashboardLink("Aguante").type(dashboard.DashboardLinkType.DASHBOARDS)
    return [
        others.tags([TAG]).as_dropdown(True).include_vars(True).keep_time(True),
        _to_jaeger(
            "Traces of the run",
            {"queryType": "search", "service": "gateway", "tags": "aguante.run_id=$run"},
        ),
        _to_jaeger("Trace by id", {"query": "$trace_id"}),
    ]


def _to_jaeger(title: str, query: dict[str, str]) -> builders.DashboardLink:
    """A link to Grafana's Explore with a Jaeger query, in which Grafana fills in the variables."""
    pane = {
        "datasource": JAEGER.uid,
        "queries": [{"refId": "A", **query}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = quote(json.dumps({"a": pane}), safe="${}_")
    link = builders.DashboardLink(title).type(dashboard.DashboardLinkType.LINK)
    return (
        link.url(f"/explore?schemaVersion=1&panes={panes}").icon("external link").target_blank(True)
    )
