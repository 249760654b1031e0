"""One stack of our own for the tests that look at the compose file, removed with all that belongs to it."""

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
    """The whole system as `docker compose up --wait` brings it up, on free ports; Grafana where its image is."""
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
    """Not pytest's own folder: PostgreSQL, as another user, must be able to pass through it."""
    folder = Path(tempfile.mkdtemp(prefix="aguante-compose-runs-"))
    folder.chmod(0o711)
    yield Bench(folder)
    left = folders(folder / "beds")
    shutil.rmtree(folder)
    assert left == ()
