"""The base of every value that passes between stages: frozen, typed, strict, and JSON both ways.

One class from the YAML file to ``verdict.json`` means one JSON Schema generator, one encoder and one
place that says "nothing is changed after it was made" (docs/adr/0003).
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Value(BaseModel):
    """A frozen, strict value. Construct by keyword; ``model_dump_json`` and ``model_validate_json`` round-trip.

    Raises:
        pydantic.ValidationError: at construction, with every fault at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Count = Annotated[int | None, BeforeValidator(lambda count: None if count == -1 else count)]
"""A count; None: not known, which files of earlier versions write as -1."""
