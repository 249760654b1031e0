"""What payments reads from its environment (services/CONTRACT.md)."""

from collections.abc import Mapping

from services.kit.process.settings import Settings, read_settings


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return payments' settings; raises Invalid with every fault. It calls only its database."""
    return read_settings("payments", environ, database=True)
