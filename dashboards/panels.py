"""What every panel has: a title, a sentence on how to read it, a unit, thresholds, and its queries."""

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
"""What builds a panel; anew each time, since a dashboard moves those that it is given."""
Panels = Sequence[Panel]
Steps = tuple[tuple[float | None, str], ...]
GREEN: Steps = ((None, "green"),)
"""Nothing of it is too much."""
ANY_IS_BAD: Steps = ((None, "green"), (0.001, "red"))
ON = {0: ("off", "transparent"), 1: ("on", "red")}
UP = {0: ("down", "red"), 1: ("up", "green")}
"""Words and colours of values, for ``states``."""
STATUS_COLOURS = {
    "200": "green",
    "402": "light-blue",
    "409": "blue",
    "429": "yellow",
    "502": "purple",
    "503": "orange",
    "504": "red",
}
"""A series whose name begins with the status has its colour on every dashboard."""


@dataclass(frozen=True)
class Told:
    """What a panel says of itself."""

    title: str
    about: str
    """How to read it; shown at the panel's corner."""
    unit: str
    """Grafana's name of the unit: ``reqps``, ``s``, ``percentunit``, ``short``."""
    steps: Steps = GREEN
    span: int = 12
    """Of 24 columns."""
    height: int = 8


@dataclass(frozen=True)
class Query:
    """One PromQL query, and the name of its series (labels in double braces)."""

    expr: str
    legend: str = ""
    exemplars: bool = False
    always: bool = False
    """Not cut to the chosen run: it is about something else, or chooses the run itself."""

    def built(self, ref: str, *, instant: bool = False) -> prometheus.Dataquery:
        """As Grafana has it; ``instant``: one value at the end of the time range, as a table."""
        expr = self.expr if self.always else in_run(self.expr)
        query = prometheus.Dataquery().ref_id(ref).expr(expr).legend_format(self.legend)
        query = query.datasource(PROMETHEUS)
        if instant:
            return query.instant().format(PromQueryFormat.TABLE)
        return query.range().exemplar(self.exemplars)


def lines(told: Told, *queries: Query, stacked: bool = False) -> Panel:
    """Lines over time, or areas on top of each other; thresholds are drawn where there are any."""
    return partial(_lines, told, queries, stacked=stacked)


def number(told: Told, *queries: Query) -> Panel:
    """The newest value of each series, large, over a small line of its past."""
    return partial(_number, told, queries)


def states(told: Told, names: Mapping[int, tuple[str, str]], *queries: Query) -> Panel:
    """One band a series; ``names``: value -> (word, colour)."""
    return partial(_states, told, names, queries)


def matrix(told: Told, row: str, column: str, query: Query) -> Panel:
    """A table of one instant query: a row for each value of one label, a column for each of another."""
    return partial(_matrix, told, row, column, query)


def _lines(told: Told, queries: Sequence[Query], *, stacked: bool) -> timeseries.Panel:
    panel = timeseries.Panel().title(told.title).description(told.about).unit(told.unit)
    panel = panel.datasource(PROMETHEUS).span(told.span).height(told.height).min(0)
    panel = panel.thresholds(_thresholds(told.steps)).line_width(1 if stacked else 2)
    panel = panel.fill_opacity(60 if stacked else 0).span_nulls(False)
    panel = panel.legend(_legend()).tooltip(_tooltip())
    if stacked:
        mode = common_builders.StackingConfig().mode(common.StackingMode.NORMAL)
        panel = panel.stacking(mode)
    if len(told.steps) > 1 and told.steps != ANY_IS_BAD:
        dashed = common.GraphThresholdsStyleMode.DASHED
        panel = panel.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(dashed))
    for status, colour in STATUS_COLOURS.items():
        panel = panel.override_by_regexp(f"/^{status}/", [_fixed(colour)])
    for ref, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(query.built(ref))
    return panel


def _number(told: Told, queries: Sequence[Query]) -> stat.Panel:
    panel = stat.Panel().title(told.title).description(told.about).unit(told.unit)
    panel = panel.datasource(PROMETHEUS).span(told.span).height(told.height)
    panel = panel.thresholds(_thresholds(told.steps)).graph_mode(common.BigValueGraphMode.AREA)
    newest = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    panel = panel.reduce_options(newest).color_mode(common.BigValueColorMode.VALUE)
    for ref, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(query.built(ref))
    return panel


def _states(
    told: Told, names: Mapping[int, tuple[str, str]], queries: Sequence[Query]
) -> statetimeline.Panel:
    panel = statetimeline.Panel().title(told.title).description(told.about).unit(told.unit)
    panel = panel.datasource(PROMETHEUS).span(told.span).height(told.height)
    panel = panel.thresholds(_thresholds(told.steps)).mappings([_words(names)])
    panel = panel.show_value(common.VisibilityMode.AUTO).merge_values(True).row_height(0.8)
    panel = panel.fill_opacity(70).legend(_legend()).tooltip(_tooltip())
    for ref, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(query.built(ref))
    return panel


def _matrix(told: Told, row: str, column: str, query: Query) -> table.Panel:
    panel = table.Panel().title(told.title).description(told.about).unit(told.unit)
    panel = panel.datasource(PROMETHEUS).span(told.span).height(told.height).decimals(2)
    panel = panel.thresholds(_thresholds(told.steps)).no_value("0")
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
