"""Dashboards asked as Grafana asks: their variables filled in, each query sent to a real Prometheus."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

BOARDS = Path(__file__).parents[2] / "dashboards" / "grafana" / "dashboards"
LIMIT_S = 20
RATE_INTERVAL_S = 4
"""What Grafana makes of a scrape interval of 1 s: four times that, while a point is no wider than 1 s."""
LATE_S = 0.5
"""A scrape takes some time itself, more on a busy machine."""


@dataclass(frozen=True)
class Line:
    """One series of a panel."""

    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]
    """(epoch seconds, value), NaN left out as Grafana leaves it out."""

    def label(self, name: str) -> str:
        """A label's value; empty where it has none."""
        return self.labels.get(name, "")


@dataclass(frozen=True)
class Panel:
    """One query of one panel."""

    board: str
    title: str
    expr: str
    instant: bool

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.board}: {self.title}"


def every_query() -> Iterator[Panel]:
    """All that the committed dashboards ask, and their annotations."""
    for path in sorted(BOARDS.glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        for annotation in board["annotations"]["list"]:
            yield Panel(
                path.stem, f"annotation {annotation['name']}", annotation["target"]["expr"], False
            )
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield Panel(
                    path.stem, panel["title"], target["expr"], bool(target.get("instant", False))
                )


def the_panel(board: str, title: str) -> Panel:
    """The first query of a panel."""
    return next(each for each in every_query() if (each.board, each.title) == (board, title))


@dataclass(frozen=True)
class Grafana:
    """Stands in for Grafana: a Prometheus, a time range, and what is chosen at the top."""

    prometheus: str
    start_s: float
    end_s: float
    run: str = ".*"

    def show(self, panel: Panel, step_s: float = 1) -> list[Line]:
        """The panel's lines; of an instant query one point each."""
        query = self.filled(panel.expr)
        if panel.instant:
            return self._ask("query", query=query, time=str(self.end_s))
        times = {"start": str(self.start_s), "end": str(self.end_s), "step": str(step_s)}
        return self._ask("query_range", query=query, **times)

    def filled(self, expr: str) -> str:
        """The query with every variable replaced, as Grafana replaces them."""
        values = {
            "$__rate_interval_ms": str(RATE_INTERVAL_S * 1000),
            "$__rate_interval": f"{RATE_INTERVAL_S}s",
            "$__range": f"{math.ceil(self.end_s - self.start_s)}s",
            "$run": self.run,
            "$experiment": ".*",
            "$service": ".*",
        }
        for name, value in values.items():
            expr = expr.replace(name, value)
        assert "$" not in expr, expr
        return expr

    def _ask(self, how: str, **parameters: str) -> list[Line]:
        url = f"{self.prometheus}/api/v1/{how}"
        answer = requests.post(url, data=parameters, timeout=LIMIT_S).json()
        assert answer["status"] == "success", (answer, parameters["query"])
        return [_line(each) for each in answer["data"]["result"]]


def _line(series: dict[str, object]) -> Line:
    given = series.get("values") or [series["value"]]
    points = [(float(at), float(value)) for at, value in given]  # type: ignore[attr-defined]
    labels = series["metric"]
    assert isinstance(labels, dict)
    return Line(labels, tuple(point for point in points if not math.isnan(point[1])))
