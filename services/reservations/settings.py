"""What reservations reads from its environment (services/CONTRACT.md)."""

from collections.abc import Mapping

from services.kit.process.settings import Settings, read_settings

INVENTORY = "reservations-inventory"
PAYMENTS = "reservations-payments"
NOTIFICATIONS = "reservations-notifications"


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings of reservations; raises Invalid with every fault."""
    links = (INVENTORY, PAYMENTS, NOTIFICATIONS)
    return read_settings("reservations", environ, links=links, database=True)
