"""When a fault holds, as an experiment file says it."""

from typing import Annotated

from pydantic import Field, model_validator

from aguante.core.mapping_rules import broken
from aguante.core.values import Name, Positive, Value


class RepeatSection(Value):
    """The same fault several times: at ``start_s``, ``start_s + every_s``, ..."""

    times: Annotated[int, Field(strict=True, ge=2, le=100)]
    every_s: Positive
    """From one start to the next."""


class FaultTimes(Value):
    """The keys that every fault has; by default it holds for the whole fault phase."""

    id: Name
    start_s: Annotated[float, Field(strict=True, ge=0)] = 0.0
    """After the fault phase began."""
    duration_s: Positive | None = None
    """None: until the fault phase ends."""
    repeat: RepeatSection | None = None

    @model_validator(mode="after")
    def _repeats_end(self) -> "FaultTimes":
        if self.repeat is not None and self.duration_s is None:
            broken("repeat without duration_s", "how long each time lasts", "add duration_s:")
        return self
