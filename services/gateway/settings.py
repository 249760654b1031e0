"""What the gateway reads from the environment."""

from collections.abc import Mapping

from services.kit.process.settings import Settings, read_settings

SERVICE = "gateway"
LINK_RESERVATIONS = "gateway-reservations"
LINK_INVENTORY = "gateway-inventory"


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raises ``Invalid`` with every fault."""
    return read_settings(SERVICE, environ, links=(LINK_RESERVATIONS, LINK_INVENTORY))
