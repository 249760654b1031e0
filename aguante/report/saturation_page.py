"""The result of a saturation search: as a page, as text and as JSON."""

from pathlib import Path

from markupsafe import Markup

from aguante.measure.saturation_levels import Level, Saturation, words
from aguante.report import formats, html_page
from aguante.report.charts import can_draw
from aguante.report.charts.canvas import FRAMES
from aguante.report.saturation_chart import COLOURS, DASHES, draw


def write_saturation(found: Saturation, folder: Path) -> Path:
    """Write ``saturation.json`` and ``saturation.html``; returns the page.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / "saturation.json").write_text(found.model_dump_json(indent=2), encoding="utf-8")
    page = folder / "saturation.html"
    page.write_text(saturation_html(found), encoding="utf-8")
    return page


def saturation_html(found: Saturation) -> str:
    """One self-contained page."""
    keys = "".join(f".key-{n}{{stroke:{colour}}}" for n, colour in enumerate(COLOURS))
    sizes = FRAMES if can_draw() else ()
    drawn = [(each, Markup(draw(found.sweeps, each))) for each in sizes]  # noqa: S704  our own drawing
    return html_page.render_page(
        "saturation.html",
        html_page.source("report.css") + html_page.source("overview.css") + keys,
        found=found,
        sentences=[(sweep.policy, words(sweep)) for sweep in found.sweeps],
        frames=drawn,
        dashes=DASHES,
        codes=codes_words,
        mix=", ".join(f"{name} {formats.percent(share)}" for name, share in found.mix),
        limited=any(level.generator_limited for s in found.sweeps for level in s.levels),
    )


def codes_words(level: Level) -> str:
    """``200 96.0 %, 429 4.0 %``."""
    return ", ".join(
        f"{status or 'no response'} {formats.percent(share)}" for status, share in level.statuses
    )


def level_line(policy: str, level: Level) -> str:
    """One level for the terminal."""
    mark = "" if level.follows else "  saturated"
    slow = "  (limited by the load generator)" if level.generator_limited else ""
    p95 = "-" if level.p95_ms is None else f"{level.p95_ms:.0f} ms"
    return (
        f"{policy}: offered {level.offered_rps:.0f} rps, goodput {level.goodput_rps:.0f}, p95 {p95}, "
        f"{codes_words(level)}{mark}{slow}"
    )
