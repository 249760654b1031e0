"""pydantic's messages in the words of ours: what was expected, without who expected it."""

from pydantic_core import ErrorDetails

_SHOULD = (
    "Input should be ",
    "Input should ",
    "Value should be ",
    "Value should ",
    "Value error, ",
)


def expected_of(error: ErrorDetails) -> str:
    """What follows ``expected`` in a message, e.g. ``a valid integer``."""
    if error["type"] == "missing":
        return "this key"
    if error["type"] == "extra_forbidden":
        return "no such key"
    message = str(error["msg"])
    for words in _SHOULD:
        message = message.removeprefix(words)
    return message[:1].lower() + message[1:]
