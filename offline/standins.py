"""The stand-ins: for each public image, what is copied into it and what shows that it works."""

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
Say = Callable[[str], None]

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
"""The image's health check asks by it."""


@dataclass(frozen=True)
class StandIn:
    """How one public image is stood in for."""

    dockerfile: str
    """In ``docker/standins``."""
    files: Callable[[], Mapping[str, Path]]
    """What its build context holds: name -> file or folder; may build them, which takes minutes."""
    proof: tuple[str, ...]
    """A command of the finished image..."""
    says: str
    """... and what it prints."""


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
"""By the service that uses the image in docker-compose.yml."""

LEFT_OUT: Mapping[str, str] = {
    "grafana": "Grafana's server is in none of Debian, PyPI and Go's modules; "
    "start the stack without it: `make stack GRAFANA=no`",
    "chaos": "Pumba and Docker's command line are images of others; "
    "use `aguante run --runtime compose`, with AGUANTE_PUMBA naming a pumba for container faults",
}
"""What cannot be made of packages, and how to do without it."""


async def make_stand_in(engine: Engine, name: str, tag: str, base: str) -> bool:
    """Build one stand-in and try it; whether it is another image than before.

    Raises:
        TestbedError: what belongs into it cannot be had, Docker does not build it, or it does not work.
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
    """The wheel's PostgreSQL, which lies beside its libraries, and what takes the place of the image's script."""
    install = find_binaries(None).parent
    libraries = f"{install.parent.name}.libs"
    return {
        PGINSTALL: install,
        libraries: install.parents[1] / libraries,
        "docker-entrypoint.sh": RECIPES / "postgres-entrypoint",
    }


def pip_index() -> dict[str, str]:
    """The index that pip is told to use here, for builds to use it too."""
    index = os.environ.get("PIP_INDEX_URL", "")
    return {"PIP_INDEX_URL": index} if index else {}
