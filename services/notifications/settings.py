"""What notifications reads from its environment (services/CONTRACT.md)."""

from collections.abc import Mapping

from services.kit.process.settings import Settings, read_settings


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return notifications' settings; raises Invalid with every fault. It calls no service and has no database."""
    return read_settings("notifications", environ)
