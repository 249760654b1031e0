"""Makes text from outside safe for a log line, a span or a response."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, chars_max: int) -> str:
    """Return `text` without anything that could break a line or an encoding, cut to `chars_max`.

    Control characters, line ends and lone surrogates (a header that is not UTF-8 decodes to them, and neither JSON
    nor protobuf can carry them) become U+FFFD. Text that was cut ends in three dots, within `chars_max`.
    """
    if len(text) > chars_max:
        text = text[: chars_max - 3] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else REPLACEMENT for char in text)


def encodable(text: str) -> str:
    """Return `text` with its lone surrogates replaced; control characters stay, for a format that escapes them."""
    return text.encode("utf-8", "replace").decode()
