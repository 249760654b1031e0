"""What reservations reads from its environment (services/CONTRACT.md)."""

from collections.abc import Mapping

from services.kit.process.settings import Settings, read_settings
from services.shop.links import STEPS


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return reservations' settings; raises Invalid with every fault."""
    return read_settings("reservations", environ, links=STEPS, database=True)
