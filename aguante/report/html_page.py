"""What every page shares: the templates, the style sheet, the colours, and the policy that admits only its own code."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

import jinja2

from aguante.report import formats, palette, run_tables
from aguante.report.palette import CauseStyle


def content_policy(sheet: str, script: str = "") -> str:
    """The page's Content-Security-Policy: its own style and script by hash, nothing else."""
    scripts = f"'{_hash(script)}'" if script else "'none'"
    return (
        f"default-src 'none'; style-src '{_hash(sheet)}'; script-src {scripts};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def colours(styles: Sequence[CauseStyle]) -> str:
    """The causes of this run as CSS variables, and the rule by which each can be brought forward."""
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


@cache
def environment() -> jinja2.Environment:
    """The templates, with every number format as a filter; everything is escaped."""
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
    """Control characters have no place in a page; markup and numbers pass."""
    return formats.printable(value) if type(value) is str else value


@cache
def source(name: str) -> str:
    """The text of one of our own files in ``templates/``."""
    return (resources.files("aguante.report") / "templates" / name).read_text(encoding="utf-8")
