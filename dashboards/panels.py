"""Builds panels from a title, a description, a unit, thresholds and queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.queries import in_run

PROMETHEUS = common.DataSourceRef(type_val="prometheus", uid="aguante-prometheus")
JAEGER = common.DataSourceRef(type_val="jaeger", uid="aguante-jaeger")
Panel = Callable[[], Builder[dashboard.Panel]]
"""Builds a new panel with each call, since a dashboard modifies the panels that it is given."""
Panels = Sequence[Panel]
Steps = tuple[tuple[float | None, str], ...]
GREEN: Steps = ((None, "green"),)
"""No threshold."""
ANY_IS_BAD: Steps = ((None, "green"), (0.001, "red"))
ON = {0: ("off", "transparent"), 1: ("on", "red")}
UP = {0: ("down", "red"), 1: ("up", "green")}
"""Text and colour by value, for ``states``."""
STATUS_COLOURS = {
    "200": "green",
    "402": "light-blue",
    "409": "blue",
    "429": "yellow",
    "502": "purple",
    "503": "orange",
    "504": "red",
}
"""The colour of every series whose name begins with the status."""


@dataclass(frozen=True)
class PanelText:
    """A panel's title, description, unit, thresholds and size."""

    title: str
    about: str
    """The description, shown at the panel's corner."""
    unit: str
    """Grafana's unit id: ``reqps``, ``s``, ``percentunit``, ``short``."""
    steps: Steps = GREEN
    span: int = 12
    """Width, of 24 columns."""
    height: int = 8


@dataclass(frozen=True)
class Query:
    """One PromQL query and the legend of its series (labels in double braces)."""

    expr: str
    legend: str = ""
    exemplars: bool = False
    always: bool = False
    """Not restricted to the selected run: the query restricts itself, or is about something else."""

    def built(self, ref: str, *, instant: bool = False) -> prometheus.Dataquery:
        """Grafana's query; ``instant``: one value at the end of the time range, as a table."""
        expr = self.expr if self.always else in_run(self.expr)
        query = prometheus.Dataquery().ref_id(ref).expr(expr).legend_format(self.legend)
        query = query.datasource(PROMETHEUS)
        if instant:
            return query.instant().format(PromQueryFormat.TABLE)
        return query.range().exemplar(self.exemplars)


def lines(text: PanelText, *queries: Query, stacked: bool = False) -> Panel:
    """Lines over time or stacked areas, with thresholds where there are any."""
    return partial(_lines, text, queries, stacked=stacked)


def number(text: PanelText, *queries: Query) -> Panel:
    """The latest value of each series above a small graph of its history."""
    return partial(_number, text, queries)


def states(text: PanelText, names: Mapping[int, tuple[str, str]], *queries: Query) -> Panel:
    """One band per series; ``names``: value -> (text, colour)."""
    return partial(_states, text, names, queries)


def matrix(text: PanelText, row: str, column: str, query: Query) -> Panel:
    """A table of one instant query: one label gives the rows, another the columns."""
    return partial(_matrix, text, row, column, query)


def _lines(text: PanelText, queries: Sequence[Query], *, stacked: bool) -> timeseries.Panel:
    panel = timeseries.Panel().title(text.title).description(text.about).unit(text.unit)
    panel = panel.datasource(PROMETHEUS).span(text.span).height(text.height).min(0)
    panel = panel.thresholds(_thresholds(text.steps)).line_width(1 if stacked else 2)
    panel = panel.fill_opacity(60 if stacked else 0).span_nulls(False)
    panel = panel.legend(_legend()).tooltip(_tooltip())
    if stacked:
        mode = common_builders.StackingConfig().mode(common.StackingMode.NORMAL)
        panel = panel.stacking(mode)
    if len(text.steps) > 1 and text.steps != ANY_IS_BAD:
        dashed = common.GraphThresholdsStyleMode.DASHED
        panel = panel.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(dashed))
    for status, colour in STATUS_COLOURS.items():
        panel = panel.override_by_regexp(f"/^{status}/", [_fixed(colour)])
    for ref, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(query.built(ref))
    return panel


def _number(text: PanelText, queries: Sequence[Query]) -> stat.Panel:
    panel = stat.Panel().title(text.title).description(text.about).unit(text.unit)
    panel = panel.datasource(PROMETHEUS).span(text.span).height(text.height)
    panel = panel.thresholds(_thresholds(text.steps)).graph_mode(common.BigValueGraphMode.AREA)
    newest = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    panel = panel.reduce_options(newest).color_mode(common.BigValueColorMode.VALUE)
    for ref, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(query.built(ref))
    return panel


def _states(
    text: PanelText, names: Mapping[int, tuple[str, str]], queries: Sequence[Query]
) -> statetimeline.Panel:
    panel = statetimeline.Panel().title(text.title).description(text.about).unit(text.unit)
    panel = panel.datasource(PROMETHEUS).span(text.span).height(text.height)
    panel = panel.thresholds(_thresholds(text.steps)).mappings([_words(names)])
    panel = panel.show_value(common.VisibilityMode.AUTO).merge_values(True).row_height(0.8)
    panel = panel.fill_opacity(70).legend(_legend()).tooltip(_tooltip())
    for ref, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(query.built(ref))
    return panel


def _matrix(text: PanelText, row: str, column: str, query: Query) -> table.Panel:
    panel = table.Panel().title(text.title).description(text.about).unit(text.unit)
    panel = panel.datasource(PROMETHEUS).span(text.span).height(text.height).decimals(2)
    panel = panel.thresholds(_thresholds(text.steps)).no_value("0")
    fields = {"columnField": column, "rowField": row, "valueField": "Value", "emptyValue": "zero"}
    turned = dashboard.DataTransformerConfig(id_val="groupingToMatrix", options=fields)
    coloured = dashboard.DynamicConfigValue(
        id_val="custom.cellOptions", value={"type": "color-text"}
    )
    panel = panel.with_transformation(turned).override_by_field_type("number", [coloured])
    return panel.with_target(query.built("A", instant=True))


def _thresholds(steps: Steps) -> dashboard_builders.ThresholdsConfig:
    built = [dashboard.Threshold(value=value, color=colour) for value, colour in steps]
    config = dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE)
    return config.steps(built)


def _words(names: Mapping[int, tuple[str, str]]) -> dashboard.ValueMap:
    return dashboard.ValueMap(
        options={
            str(value): dashboard.ValueMappingResult(text=word, color=colour, index=value)
            for value, (word, colour) in names.items()
        }
    )


def _fixed(colour: str) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(
        id_val="color", value={"mode": "fixed", "fixedColor": colour}
    )


def _legend() -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    return legend.placement(common.LegendPlacement.BOTTOM).show_legend(True)


def _tooltip() -> common_builders.VizTooltipOptions:
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    return tooltip.sort(common.SortOrder.DESCENDING)
