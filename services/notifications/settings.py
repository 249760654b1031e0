"""What notifications reads from the environment: no links, since it calls nobody."""

from collections.abc import Mapping

from services.kit.process.settings import Settings, read_settings

SERVICE = "notifications"


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raises ``Invalid`` with every fault."""
    return read_settings(SERVICE, environ)
