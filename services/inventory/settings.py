"""What inventory reads from its environment (services/CONTRACT.md)."""

from collections.abc import Mapping

from services.kit.process.settings import Settings, read_settings


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return inventory's settings; raises Invalid with every fault. It calls only its database."""
    return read_settings("inventory", environ, database=True)
