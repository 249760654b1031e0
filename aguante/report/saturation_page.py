"""A search for saturation as a page, as text and as JSON."""

from pathlib import Path

from markupsafe import Markup

from aguante.measure.saturation_levels import Level, Saturation, words
from aguante.report import frame, text
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
    sheet = frame.source("report.css") + frame.source("overview.css") + keys
    sizes = FRAMES if can_draw() else ()
    drawn = [(each, Markup(draw(found.sweeps, each))) for each in sizes]  # noqa: S704  our own drawing
    return (
        frame.environment()
        .get_template("saturation.html")
        .render(
            found=found,
            sentences=[(sweep.policy, words(sweep)) for sweep in found.sweeps],
            frames=drawn,
            dashes=DASHES,
            codes=codes_words,
            limited=any(level.generator_limited for s in found.sweeps for level in s.levels),
            sheet=Markup(sheet),  # noqa: S704  our own files
            policy=frame.content_policy(sheet),
        )
    )


def codes_words(level: Level) -> str:
    """``200 96.0 %, 429 4.0 %``."""
    return ", ".join(
        f"{status or 'no answer'} {text.percent(share)}" for status, share in level.statuses
    )


def level_line(policy: str, level: Level) -> str:
    """One level for the terminal."""
    mark = "" if level.follows else "  does not follow"
    slow = "  (the load generator was the limit)" if level.generator_limited else ""
    p95 = "-" if level.p95_ms is None else f"{level.p95_ms:.0f} ms"
    return (
        f"{policy}: offered {level.offered_rps:.0f} rps, goodput {level.goodput_rps:.0f}, p95 {p95}, "
        f"{codes_words(level)}{mark}{slow}"
    )
