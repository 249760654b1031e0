"""What is known of each server: its names, its version, and where its pinned source is."""

from collections.abc import Mapping
from dataclasses import dataclass


class ServerMissingError(Exception):
    """A server can neither be found nor built. The message names all the ways to provide it."""


@dataclass(frozen=True)
class ServerSpec:
    """One server that can be found, or built by Go from the module ``tools/<name>``."""

    name: str
    binary: str
    """Its file name on ``PATH`` and in the cache."""
    version: str
    """As pinned in ``tools/<name>/go.mod`` (a test compares them)."""
    package: str
    """What ``go build`` builds."""
    version_symbol: str
    """The linker symbol that holds the version; a plain build reports ``git``."""
    home: str
    """Where a person gets it from."""

    @property
    def variable(self) -> str:
        """The environment variable with a configured path."""
        return f"AGUANTE_{self.name.upper()}"

    @property
    def series(self) -> str:
        """Major and minor version: what we accept from elsewhere."""
        return ".".join(self.version.split(".")[:2])


SERVERS: Mapping[str, ServerSpec] = {
    "toxiproxy": ServerSpec(
        name="toxiproxy",
        binary="toxiproxy-server",
        version="2.12.0",
        package="github.com/Shopify/toxiproxy/v2/cmd/server",
        version_symbol="github.com/Shopify/toxiproxy/v2.Version",
        home="https://github.com/Shopify/toxiproxy/releases",
    ),
}
