"""The stand-ins: for each public image, the files that it needs and a command that shows that it works."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aguante.runtimes.native.postgres_server import PGINSTALL, find_binaries
from aguante.runtimes.servers import SERVERS, ServerSpec, find_server
from offline.engine import Engine, context_of
from offline.wanted import ROOT

RECIPES = ROOT / "docker" / "standins"

TOXIPROXY_CLI = ServerSpec(
    name="toxiproxy-cli",
    binary="toxiproxy-cli",
    version=SERVERS["toxiproxy"].version,
    module="toxiproxy",
    package="github.com/Shopify/toxiproxy/v2/cmd/cli",
    version_symbol=SERVERS["toxiproxy"].version_symbol,
    home=SERVERS["toxiproxy"].home,
    version_arguments=("--version",),
)
"""Used by the image's health check."""


@dataclass(frozen=True)
class StandIn:
    """The replacement of one public image."""

    dockerfile: str
    """In ``docker/standins``."""
    files: Callable[[], Mapping[str, Path]]
    """Returns its build context, name -> file or folder; may have to build them, which takes minutes."""
    proof: tuple[str, ...]
    """A command of the finished image."""
    says: str
    """A part of that command's output."""


STAND_INS: Mapping[str, StandIn] = {
    "postgres": StandIn(
        dockerfile="postgres.Dockerfile",
        files=lambda: postgres_files(),
        proof=("postgres", "--version"),
        says="PostgreSQL) 18",
    ),
    "toxiproxy": StandIn(
        dockerfile="toxiproxy.Dockerfile",
        files=lambda: {
            "toxiproxy": find_server(SERVERS["toxiproxy"]),
            "toxiproxy-cli": find_server(TOXIPROXY_CLI),
        },
        proof=("/toxiproxy", "-version"),
        says=SERVERS["toxiproxy"].version,
    ),
    "prometheus": StandIn(
        dockerfile="prometheus.Dockerfile",
        files=lambda: {name: find_server(SERVERS[name]) for name in ("prometheus", "promtool")},
        proof=("/bin/prometheus", "--version"),
        says=SERVERS["prometheus"].version,
    ),
    "jaeger": StandIn(
        dockerfile="jaeger.Dockerfile",
        files=lambda: {
            "jaeger-all-in-one": find_server(SERVERS["jaeger"]),
            "jaeger-linux": RECIPES / "jaeger-linux",
        },
        proof=("/cmd/jaeger/jaeger-all-in-one", "version"),
        says=SERVERS["jaeger"].version,
    ),
}
"""Stand-ins by the service that uses the image in docker-compose.yml."""

LEFT_OUT: Mapping[str, str] = {
    "grafana": "Debian, PyPI and Go's modules do not contain Grafana's server; "
    "start the stack without it: `make stack GRAFANA=no`",
    "chaos": "It is built from public images of Pumba and Docker's command line; "
    "use `aguante run --runtime compose`, and set AGUANTE_PUMBA to a pumba program for container faults",
}
"""Images that cannot be built from packages, and the alternative."""


async def make_stand_in(engine: Engine, name: str, tag: str, base: str) -> bool:
    """Build one stand-in and test it; return whether the image has changed.

    Raises:
        TestbedError: a server cannot be built, Docker cannot build the image, or the image does not work.
    """
    recipe = STAND_INS[name]
    with context_of(await asyncio.to_thread(recipe.files)) as context:
        fresh = await engine.build(
            Path(context), RECIPES / recipe.dockerfile, tag, {"BASE": base}, label=name
        )
    if fresh:
        await engine.try_out(tag, recipe.proof, recipe.says)
    return fresh


def postgres_files() -> dict[str, Path]:
    """Return the wheel's PostgreSQL with its libraries, and our replacement for the image's entrypoint."""
    install = find_binaries(None).parent
    libraries = f"{install.parent.name}.libs"
    return {
        PGINSTALL: install,
        libraries: install.parents[1] / libraries,
        "docker-entrypoint.sh": RECIPES / "postgres-entrypoint",
    }


def pip_index() -> dict[str, str]:
    """Return this machine's package index as a build argument, so that builds use it, too."""
    index = os.environ.get("PIP_INDEX_URL", "")
    return {"PIP_INDEX_URL": index} if index else {}
