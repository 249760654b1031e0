"""What the gateway lets in: the alphabet of ids and the bounds of an order. Standard library only."""

import re

ID_CHARS_MAX = 64
ID_PATTERN = r"\A[A-Za-z0-9][A-Za-z0-9._:-]*\Z"
QUANTITY_MIN = 1
QUANTITY_MAX = 10


def is_id(text: str) -> bool:
    """Return whether ``text`` can be an id or a key: 1 to 64 letters, digits and ``. _ : -``."""
    return len(text) <= ID_CHARS_MAX and re.match(ID_PATTERN, text) is not None
