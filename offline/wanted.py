"""Reads the images that the compose file names; image versions are defined only by its tags."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
COMPOSE_FILE = ROOT / "docker-compose.yml"
PYTHON = "python"
"""The name of the base of our own images."""
CHAOS = "chaos"
"""The profile of the runner with Pumba."""


@dataclass(frozen=True)
class Wanted:
    """The images, by service name or ``python``."""

    public: Mapping[str, str]
    """Images of other projects: ``toxiproxy`` -> ``ghcr.io/shopify/toxiproxy:2.12.0``."""
    own: Mapping[str, Path]
    """Our images: tag -> Dockerfile."""


def read_wanted(path: Path = COMPOSE_FILE, environ: Mapping[str, str] = os.environ) -> Wanted:
    """Read the compose file, with its variables replaced, and the base image of our Dockerfiles."""
    services: dict[str, dict[str, object]] = YAML(typ="safe").load(path.read_text())["services"]
    public, own = {}, {}
    for name, service in services.items():
        tag = filled_in(str(service["image"]), environ)
        build = service.get("build")
        if CHAOS in str(service.get("profiles")):
            continue  # built from public images that have no stand-in
        if isinstance(build, dict):
            own[tag] = path.parent / str(build["dockerfile"])
        else:
            public[name] = tag
    bases = {base for dockerfile in own.values() for base in bases_of(dockerfile)}
    if len(bases) != 1:
        message = f"our Dockerfiles must share one base image, found: {', '.join(sorted(bases))}"
        raise ValueError(message)
    return Wanted({PYTHON: bases.pop(), **public}, own)


def filled_in(text: str, environ: Mapping[str, str]) -> str:
    """Replace ``${NAME:-default}`` as Compose does."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: environ.get(found[1]) or found[2], text)


def bases_of(dockerfile: Path) -> set[str]:
    """Return the images that a Dockerfile starts from, without its own stages."""
    return set(re.findall(r"^FROM (\S+:\S+)", dockerfile.read_text(), re.MULTILINE))
