"""What the gateway reads from its environment (services/CONTRACT.md)."""

from collections.abc import Mapping

from services.kit.process.settings import Settings, read_settings
from services.shop.links import GATEWAY_INVENTORY, GATEWAY_RESERVATIONS


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the gateway's settings; raises Invalid with every fault. It has no database."""
    return read_settings("gateway", environ, links=(GATEWAY_RESERVATIONS, GATEWAY_INVENTORY))
