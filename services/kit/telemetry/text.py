"""Text that came from outside, before it goes into a log line, a span or an answer."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, chars_max: int) -> str:
    """Return ``text`` with nothing in it that could break a line or an encoding, cut to ``chars_max``.

    Control characters, line ends and lone surrogates (what a header that is no UTF-8 decodes to; neither JSON nor
    protobuf can carry them) become U+FFFD. What was cut off is told by three dots within ``chars_max``.
    """
    if len(text) > chars_max:
        text = text[: chars_max - 3] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else REPLACEMENT for char in text)


def encodable(text: str) -> str:
    """Return ``text`` with its lone surrogates replaced; control characters stay, for what escapes them itself."""
    return text.encode("utf-8", "replace").decode()
