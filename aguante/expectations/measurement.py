"""What was measured for one expectation."""

from aguante.core.values import Value


class NamedValue(Value):
    """One of several values of a measurement."""

    name: str
    value: float | None
    """None: it did not happen."""


class Measurement(Value):
    """What was measured for one expectation or abort condition."""

    n: int
    """Requests, attempts or transitions that it rests on; 0: there is nothing to judge."""
    observed: float | None
    """The value, in the unit of the kind's bound; None: it did not happen, or it is unknown."""
    low: float | None = None
    high: float | None = None
    """Ends of a 95 % interval, where one is valid."""
    unknown_because: str = ""
    """Why it is unknown; empty: it is known."""
    detail: str = ""
    """The evidence in one sentence, e.g. ``45 of 720 requests``."""
    values: tuple[NamedValue, ...] = ()
    """Of kinds that measure several values at once."""

    @classmethod
    def unknown(cls, why: str, n: int = 0) -> "Measurement":
        """A measurement that could not be made."""
        return cls(n=n, observed=None, unknown_because=why)
