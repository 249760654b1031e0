"""What is known of each server: its names, its version, and where its pinned source is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


class ServerMissingError(Exception):
    """A server can neither be found nor built. The message names all the ways to provide it."""


@dataclass(frozen=True)
class ServerSpec:
    """One server that can be found, or built by Go from a module under ``tools/``."""

    name: str
    binary: str
    """Its file name on ``PATH`` and in the cache."""
    version: str
    """What it reports; pinned in its go.mod (a test compares them)."""
    package: str
    """What ``go build`` builds."""
    version_symbol: str
    """The linker symbol that holds the version; a plain build reports ``git``."""
    home: str
    """Where a person gets it from."""
    module_version: str = ""
    """The version of its Go module where that differs from the program's (Prometheus: 0.313.2 is 3.13.2)."""
    module: str = ""
    """The folder of ``tools/`` that pins it, where it is not called like the server."""
    tags: tuple[str, ...] = ()
    """Build tags that leave out what a testbed has no use for."""
    version_arguments: tuple[str, ...] = ("-version",)
    """What makes it say its version."""
    build_s: int = 30
    """About how long the first build takes on two cores; told to whoever waits."""

    @property
    def folder(self) -> str:
        """The folder of ``tools/`` with its go.mod."""
        return self.module or self.name

    @property
    def pinned_version(self) -> str:
        """Its module's version, as go.mod has it (without the ``v``)."""
        return self.module_version or self.version

    @property
    def variable(self) -> str:
        """The environment variable with a configured path."""
        return f"AGUANTE_{self.name.upper()}"

    @property
    def series(self) -> str:
        """Major and minor version: what we accept from elsewhere."""
        return ".".join(self.version.split(".")[:2])


# Without `remove_all_sd` the build carries the client of every cloud there is, to find targets in it:
# 180 MB and many minutes. Ours are in a file; in containers Docker's DNS names every replica.
_PROMETHEUS = ServerSpec(
    name="prometheus",
    binary="prometheus",
    version="3.13.2",
    module_version="0.313.2",
    package="github.com/prometheus/prometheus/cmd/prometheus",
    version_symbol="github.com/prometheus/common/version.Version",
    home="https://prometheus.io/download",
    tags=("remove_all_sd", "enable_dns_sd"),
    version_arguments=("--version",),
    build_s=150,
)
SERVERS: Mapping[str, ServerSpec] = {
    "toxiproxy": ServerSpec(
        name="toxiproxy",
        binary="toxiproxy-server",
        version="2.12.0",
        package="github.com/Shopify/toxiproxy/v2/cmd/server",
        version_symbol="github.com/Shopify/toxiproxy/v2.Version",
        home="https://github.com/Shopify/toxiproxy/releases",
    ),
    "prometheus": _PROMETHEUS,
    "promtool": replace(
        _PROMETHEUS,
        name="promtool",
        binary="promtool",
        module="prometheus",
        package="github.com/prometheus/prometheus/cmd/promtool",
    ),
    "jaeger": ServerSpec(
        name="jaeger",
        binary="jaeger-all-in-one",
        version="1.62.0",
        package="github.com/jaegertracing/jaeger/cmd/all-in-one",
        version_symbol="github.com/jaegertracing/jaeger/pkg/version.latestVersion",
        home="https://www.jaegertracing.io/download",
        version_arguments=("version",),
        build_s=150,
    ),
}
