"""HTTP statuses as an expectation asks for them: one, a class, or a list."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, WithJsonSchema

from aguante.core.findings import shown
from aguante.core.mapping_rules import broken

Status = Annotated[int, Field(strict=True, ge=0, le=599)]
"""An HTTP status; 0 stands for no response at all."""
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
STATUS_MAX = 599


def _statuses(value: Any) -> Any:
    """One status, one class, or a list of them, as a tuple."""
    listed = value if isinstance(value, list | tuple) else [value]
    for each in listed:
        number = isinstance(each, int) and not isinstance(each, bool)
        if each not in STATUS_CLASSES and not (number and 0 <= each <= STATUS_MAX):
            expected = f"a status (0 to {STATUS_MAX}), a class such as 5xx, or a list of them"
            text, meant = str(each), str(each).lower()
            hint = "0 stands for no response at all"
            hint = f"write {meant}" if meant in STATUS_CLASSES else hint
            hint = f"write {text}, without quotes" if text.isdigit() and not number else hint
            broken(shown(each), expected, hint)
    if not listed:
        broken("an empty list", "at least one status", "leave status out to ask for any")
    return tuple(listed)


_ONE: list[JsonValue] = [{"type": "integer"}, {"enum": list(STATUS_CLASSES)}]
_LIST: JsonValue = {"type": "array", "items": {"anyOf": _ONE}, "minItems": 1}

Statuses = Annotated[
    tuple[int | Literal["1xx", "2xx", "3xx", "4xx", "5xx"], ...],
    BeforeValidator(_statuses),
    WithJsonSchema({"anyOf": [*_ONE, _LIST]}),
]
"""HTTP statuses and classes of statuses; 0 stands for no response at all."""


def status_parameters(asked: tuple[int | str, ...] | None) -> dict[str, object]:
    """Query parameters for statuses and classes (``5xx`` is every status with status // 100 == 5); None: any."""
    chosen = asked or ()
    return {
        "any_status": asked is None,
        "statuses": [each for each in chosen if isinstance(each, int)],
        "classes": [int(each[0]) for each in chosen if isinstance(each, str)],
    }
