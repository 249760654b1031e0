"""A run folder to Measures: the only stage that reads rows."""

from aguante.measure.run import measure

__all__ = ["measure"]
