"""The servers: names, versions, and where their source is pinned."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aguante.testbed.runtime import TestbedError


class ServerMissingError(TestbedError):
    """A server was not found and cannot be built. The message lists every way to provide it."""


@dataclass(frozen=True)
class ServerSpec:
    """One server that Go builds from a module under ``tools/``."""

    name: str
    binary: str
    """Its file name on ``PATH`` and in the cache."""
    version: str
    """The version that it reports; go.mod pins the same (a test compares them)."""
    package: str
    """The argument of ``go build``."""
    version_symbol: str
    """The linker symbol that holds the version; a plain build reports ``git``."""
    home: str
    """Where a user downloads it."""
    module_version: str = ""
    """The version of its Go module if it differs from the program's (Prometheus: 0.313.2 is 3.13.2)."""
    module: str = ""
    """The folder of ``tools/`` that pins it; empty: the server's name."""
    tags: tuple[str, ...] = ()
    """Build tags that exclude what a testbed does not need."""
    version_arguments: tuple[str, ...] = ("-version",)
    """Arguments that make it print its version."""
    build_s: int = 30
    """Approximate duration of the first build on two cores; printed when it starts."""

    @property
    def folder(self) -> str:
        """The folder of ``tools/`` with its go.mod."""
        return self.module or self.name

    @property
    def pinned_version(self) -> str:
        """The version of its module in go.mod, without the ``v``."""
        return self.module_version or self.version

    @property
    def variable(self) -> str:
        """The environment variable that configures its path."""
        return f"AGUANTE_{self.name.upper()}"

    @property
    def series(self) -> str:
        """Major and minor version; any patch release of it is accepted."""
        return ".".join(self.version.split(".")[:2])


# Without `remove_all_sd` the build includes service discovery for every cloud: 180 MB and many minutes.
# Our targets are in a file; in containers, Docker's DNS resolves every replica.
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
