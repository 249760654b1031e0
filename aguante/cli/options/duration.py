"""The type of every option that is a time."""

import math

import click

from aguante.core.durations import EXAMPLES, duration_text, seconds_of


class Duration(click.ParamType[float]):
    """A duration in seconds, written as ``90s``, ``2m``, ``1.5h``, ``500ms`` or plain seconds."""

    name = "duration"

    def __init__(self, min_s: float = 0, max_s: float = math.inf, *, above_0: bool = False) -> None:
        """Bounds in seconds, inclusive; ``above_0`` rejects 0."""
        self.min_s, self.max_s, self.above_0 = min_s, max_s, above_0

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds.

        Raises:
            click.BadParameter: not a duration, or out of range.
        """
        found_s = value if isinstance(value, int | float) else seconds_of(str(value))
        if found_s is None or not (self.min_s <= found_s <= self.max_s and self._allows(found_s)):
            expected = f"a duration such as {EXAMPLES}{self._range()}"
            self.fail(f"found {value!r}, expected {expected}", param, ctx)
        return float(found_s)

    def _allows(self, found_s: float) -> bool:
        return found_s > 0 or not self.above_0

    def _range(self) -> str:
        low = (
            "above 0" if self.above_0 else f"from {duration_text(self.min_s)}" if self.min_s else ""
        )
        high = f"at most {duration_text(self.max_s)}" if math.isfinite(self.max_s) else ""
        return "".join(f", {each}" for each in (low, high) if each)
