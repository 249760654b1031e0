"""One stack for the tests of the compose file, removed completely afterwards."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from bench_harness import Bench
from stack_harness import Stack, has_image, left_of

from aguante.runtimes.testbed_state import folders
from offline.wanted import read_wanted


@pytest.fixture(scope="session")
def stack(part_is_missing: Callable[[str], NoReturn]) -> Iterator[Stack]:
    """The system as `docker compose up --wait` starts it, on free ports; with Grafana if its image exists."""
    found = Stack(f"aguante-test-{os.getpid()}")
    if shutil.which("docker") is None or found.docker("version", check=False).returncode:
        part_is_missing("no Docker engine answers: install docker.io, start dockerd")
    if found.compose("version", check=False).returncode:
        part_is_missing("Docker has no Compose plugin: `make compose` builds one")
    wanted = read_wanted()
    for name, tag in wanted.public.items():
        if not has_image(found, tag) and name != "grafana":
            part_is_missing(
                f"the image {tag} is not here: `docker pull {tag}`, or `make images-offline`"
            )
    for tag in wanted.own:
        if not has_image(found, tag):
            part_is_missing(
                f"the image {tag} is not here: `docker compose build`, or `make images-offline`"
            )
    found.with_grafana = has_image(found, wanted.public["grafana"])
    try:
        found.up()
        yield found
    finally:
        found.down()
    assert left_of(found, found.project) == ""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """It does not use pytest's folder, which PostgreSQL's account could not traverse."""
    folder = Path(tempfile.mkdtemp(prefix="aguante-compose-runs-"))
    folder.chmod(0o711)
    yield Bench(folder)
    left = folders(folder / "beds")
    shutil.rmtree(folder)
    assert left == ()
