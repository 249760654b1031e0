"""Durations as people write them: ``90s``, ``2m``, ``1.5h``, ``1m30s``, ``500ms``, or plain seconds."""

import re

SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
"""Unit -> its length in seconds."""
EXAMPLES = "90s, 2m or 1.5h"

_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(us|ms|s|min|m|h)", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)


def seconds_of(text: str) -> float | None:
    """A duration in seconds; None if the text is not one.

    >>> seconds_of("1m30s"), seconds_of("2.5"), seconds_of("soon")
    (90.0, 2.5, None)
    """
    bare = text.strip()
    if _NUMBER.fullmatch(bare):
        return float(bare)
    parts = _PART.findall(bare)
    if not parts or _PART.sub("", bare).strip():
        return None
    return sum(float(amount) * SECONDS[unit.lower()] for amount, unit in parts)


def duration_text(seconds: float) -> str:
    """A duration in the largest unit that needs no fraction.

    >>> duration_text(86400), duration_text(600), duration_text(0.5)
    ('24h', '10m', '0.5s')
    """
    for unit in ("h", "m"):
        if seconds and seconds % SECONDS[unit] == 0:
            return f"{seconds / SECONDS[unit]:g}{unit}"
    return f"{seconds:g}s"


def about(seconds: float) -> str:
    """A rounded duration for estimates.

    >>> about(41), about(100), about(5400)
    ('40 s', '2 min', '1.5 h')
    """
    if seconds < 60:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
