"""The base of every value that passes between stages: frozen, typed, strict, and JSON both ways.

One base class from the YAML file to ``verdict.json`` gives one JSON Schema generator, one encoder and one rule
that no stage changes what an earlier one made (docs/adr/0003).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Text = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
Positive = Annotated[float, Field(strict=True, gt=0)]
NAME = r"^[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$"
Name = Annotated[str, Field(strict=True, pattern=NAME)]


class Value(BaseModel):
    """A frozen, strict value. Construct by keyword; ``model_dump_json`` and ``model_validate_json`` round-trip.

    Raises:
        pydantic.ValidationError: at construction, with every fault at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gathers: ClassVar[str] = ""
    """Field that takes the keys without a field of their own; empty: every key has a field."""
    usual_keys: ClassVar[tuple[str, ...]] = ()
    """Keys to suggest for that field."""

    @classmethod
    def file_keys(cls) -> list[str]:
        """The keys that a file may use for this value."""
        return [*(name for name in cls.model_fields if name != cls.gathers), *cls.usual_keys]

    @classmethod
    def gather(cls, data: Any) -> Any:
        """Move every key without a field into the field ``gathers``, for a validator with ``mode="before"``."""
        if not isinstance(data, Mapping):
            return data
        own = {key: value for key, value in data.items() if key in cls.file_keys()}
        rest = {key: value for key, value in data.items() if key not in own}
        return {**own, cls.gathers: rest}


Count = Annotated[int | None, BeforeValidator(lambda count: None if count == -1 else count)]
"""A count; None: not known, which files of earlier versions write as -1."""
