"""Numbers as text. Every function accepts None for "unknown" and returns a dash."""

import re

UNKNOWN = "\N{EN DASH}"
SPACE = "\N{NO-BREAK SPACE}"
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """The text with characters that XML 1.0 or a terminal cannot represent replaced by U+FFFD."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def count(value: int | None) -> str:
    """A whole number with separated thousands: ``12 480``."""
    return UNKNOWN if value is None else f"{value:,}".replace(",", SPACE)


def percent(share: float | None) -> str:
    """A share 0..1 as ``6.1 %``. A share above 0 never shows as 0 %, nor one below 1 as 100 %."""
    if share is None:
        return UNKNOWN
    hundredths = share * 100
    if 0 < hundredths < 0.05:
        return f"<{SPACE}0.1{SPACE}%"
    if 99.95 <= hundredths < 100:
        return f">{SPACE}99.9{SPACE}%"
    return f"{hundredths:.1f}{SPACE}%"


def points(difference: float | None) -> str:
    """A difference of two shares in percentage points, with its sign: ``+12.0``."""
    if difference is None:
        return UNKNOWN
    rounded = round(difference * 100, 1)
    return "±0.0" if rounded == 0 else f"{rounded:+.1f}".replace("-", "\N{MINUS SIGN}")


def milliseconds(value_ms: float | None) -> str:
    """A duration as ``3.4 ms``, ``38 ms`` or ``3.01 s``."""
    if value_ms is None:
        return UNKNOWN
    if value_ms >= 999.5:
        return f"{value_ms / 1000:.2f}{SPACE}s"
    return f"{value_ms:.{0 if value_ms >= 9.95 else 1}f}{SPACE}ms"


def seconds(value_s: float | None) -> str:
    """A time as ``8.0 s``."""
    return UNKNOWN if value_s is None else f"{value_s:.1f}{SPACE}s".replace("-", "\N{MINUS SIGN}")


def exact_seconds(value_s: float | None) -> str:
    """A time as ``8.012 s``."""
    return UNKNOWN if value_s is None else f"{value_s:.3f}{SPACE}s".replace("-", "\N{MINUS SIGN}")


def per_second(value_rps: float | None) -> str:
    """A rate as ``60.0/s``."""
    return UNKNOWN if value_rps is None else f"{value_rps:.1f}/s"


def ratio(numerator: int, denominator: int) -> float | None:
    """The share, or None if the denominator is 0."""
    return numerator / denominator if denominator else None


def plural(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count(number)}{SPACE}{noun}{'' if number == 1 else 's'}"
