"""A picture and its predecessors as text for the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from aguante.cli.render.live.picture import Link, Picture, Responses, trend
from aguante.report.palette import styles_of

PAST_MAX = 40
"""Number of pictures in a trend line."""
_BREAKER = {"open": "bold red", "half_open": "yellow", "closed": "green"}


def draw(past: Sequence[Picture]) -> Group:
    """The last picture, with trend lines over all of them. ``past`` must not be empty."""
    now = past[-1]
    parts: list[RenderableType] = [_head(now), _responses(past), _links(now), _in_flight(now)]
    if now.spans_dropped_per_s:
        parts.append(f"[yellow]spans dropped: {now.spans_dropped_per_s:.1f}/s[/]")
    return Group(*parts)


def _head(now: Picture) -> Group:
    first = (
        f"[bold]{escape(now.testbed)}[/]  {now.at[11:19]}  "
        f"{now.total_per_s:.1f} responses/s, goodput {now.goodput_per_s:.1f}/s"
    )
    faults = "\n".join(f"  [bold red]{escape(each)}[/]" for each in now.faults)
    lines = [first, f"faults now:\n{faults}" if faults else "faults now: none"]
    lines += [
        f"[bold red]{escape(name)} does not respond[/]: {escape(why)}"
        for name, why in now.silent.items()
    ]
    return Group(*lines)


def _responses(past: Sequence[Picture]) -> Table:
    table = _table("Responses to clients")
    table.add_column("response", no_wrap=True)
    for name in ("per s", "share", "p50", "p95"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(f"last {len(past)} readings", no_wrap=True)
    seen = {(each.status, each.mechanism) for picture in past for each in picture.answers}
    now, total = {_key(each): each for each in past[-1].answers}, past[-1].total_per_s
    for style in styles_of(seen):
        key = (style.status, style.mechanism)
        line = [_per_s(picture, key) for picture in past]
        if any(line) or key == (200, ""):
            each = now.get(key)
            per_s = each.per_s if each else 0.0
            table.add_row(
                f"[{style.dark}]{escape(style.label)}[/]",
                f"{per_s:.1f}",
                f"{per_s / total:.0%}" if total else "-",
                _time(each.p50_s if each else None),
                _time(each.p95_s if each else None),
                f"[{style.dark}]{trend(line)}[/]",
            )
    return table


def _links(now: Picture) -> Table:
    table = _table("Links, as seen by their callers")
    table.add_column("link", no_wrap=True)
    table.add_column("breaker", no_wrap=True)
    for name in ("attempts/s", "failed/s", "retries/s", "rejected/s", "p95"):
        table.add_column(name, justify="right", no_wrap=True)
    for link in now.links:
        table.add_row(*_link(link))
    return table


def _link(link: Link) -> list[str]:
    style = _BREAKER.get(link.breaker)
    return [
        escape(link.link),
        f"[{style}]{link.breaker}[/]" if style else "-",
        f"{link.attempts_per_s:.1f}",
        _bad(link.failed_per_s, "red"),
        _bad(link.retries_per_s, "yellow"),
        _bad(link.refused_per_s, "yellow"),
        _time(link.p95_s),
    ]


def _in_flight(now: Picture) -> str:
    counts = "  ".join(f"{escape(name)} {count}" for name, count in now.in_flight.items())
    return f"in flight: {counts or 'unknown'}"


def _table(title: str) -> Table:
    return Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)


def _key(each: Responses) -> tuple[int, str]:
    return each.status, each.mechanism


def _per_s(picture: Picture, key: tuple[int, str]) -> float:
    return sum(each.per_s for each in picture.answers if _key(each) == key)


def _bad(per_s: float, style: str) -> str:
    return f"[{style}]{per_s:.1f}[/]" if per_s else "0.0"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
