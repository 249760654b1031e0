"""What every HTML page shares: templates, style sheet, colours, and a content policy that admits only its own code."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from aguante.report import formats, palette, run_tables
from aguante.report.palette import CauseStyle


def render_page(template: str, sheet: str, script: str = "", **values: object) -> str:
    """Render one self-contained page.

    Everything that comes from files or responses is escaped. In addition, the Content-Security-Policy of the page
    admits only its own style sheet and script, by their hashes, and no network access.

    Args:
        template: name of a file in ``templates/`` that extends ``page.html``.
        sheet: CSS from our own files.
        script: JavaScript from our own files.
        values: the variables of the template.
    """
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            sheet=Markup(sheet),  # noqa: S704  our own files
            script=Markup(script),  # noqa: S704  our own file
            policy=_content_policy(sheet, script),
        )
    )


def _content_policy(sheet: str, script: str) -> str:
    scripts = f"'{_hash(script)}'" if script else "'none'"
    return (
        f"default-src 'none'; style-src '{_hash(sheet)}'; script-src {scripts};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def colours(styles: Sequence[CauseStyle]) -> str:
    """The colours of the causes as CSS variables, and the rules that highlight a selected cause."""
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


def overview_sheet(styles: Sequence[CauseStyle]) -> str:
    """The style sheet of pages about several runs."""
    return source("report.css") + source("overview.css") + colours(styles)


@cache
def _environment() -> jinja2.Environment:
    """The templates, with the number formats as filters and autoescaping."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("aguante.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for shown in (
        formats.count,
        formats.percent,
        formats.points,
        formats.milliseconds,
        formats.seconds,
        formats.exact_seconds,
        formats.per_second,
        formats.plural,
    ):
        templates.filters[shown.__name__] = shown
    templates.globals["percentile"] = run_tables.percentile
    templates.globals["ratio"] = formats.ratio
    templates.finalize = _printable
    return templates


def _printable(value: object) -> object:
    """Replace control characters in text; markup and numbers pass."""
    return formats.printable(value) if type(value) is str else value


@cache
def source(name: str) -> str:
    """The text of one of our own files in ``templates/``."""
    return (resources.files("aguante.report") / "templates" / name).read_text(encoding="utf-8")
