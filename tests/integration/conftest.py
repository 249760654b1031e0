"""Fixtures of the integration tests: real servers, and folders in which no testbed may be left."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_harness import private_folder

from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

ROOT = Path(__file__).parents[2]
MOODS = ("default", "other", "dies", "deaf", "stubborn")

STANDIN_TESTBED = """\
name: standin
links: links.yaml
services:
  - {name: front, module: standin, port: 5000}
  - {name: back, module: standin, port: 5001}
databases: [{name: back}]
entry: client-front
policies: policies
load: {locustfile: empty.py}
setup: {events: 1, capacity: 1, request: {service: back, method: PUT, path: "/{event_id}", body: {}}}
problem_json: true
mechanisms: []
client_mechanisms: []
settle: {within_s: 1, database: back, query: empty.sql}
invariants: []
"""
STANDIN_LINKS = """\
links:
  - {name: client-front, caller: client, callee: front, kind: http, port: 6000}
  - {name: front-back, caller: front, callee: back, kind: http, port: 6001}
  - {name: back-db, caller: back, callee: back, kind: postgresql, port: 6100}
"""


@pytest.fixture(scope="session", autouse=True)
def _toxiproxy(toxiproxy_binary: Path) -> None:
    """All integration tests need toxiproxy-server."""


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the testbeds of one test; afterwards none of their folders and processes may be left.

    Not pytest's own: below a folder of mode 0700 PostgreSQL could not run as another user.
    """
    with private_folder() as folder:
        monkeypatch.setenv("AGUANTE_STATE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def own_parent() -> Iterator[Path]:
    """A folder for the testbed of one module; none may be left in it."""
    with private_folder() as parent:
        yield parent


@pytest.fixture(scope="session")
def standin_file() -> Iterator[Path]:
    """The ``testbed.yaml`` of two stand-in services, in a separate folder."""
    with tempfile.TemporaryDirectory(prefix="aguante-standin-") as name:
        root = Path(name)
        (root / "testbed.yaml").write_text(STANDIN_TESTBED)
        (root / "links.yaml").write_text(STANDIN_LINKS)
        shutil.copy(Path(__file__).with_name("standin.py"), root)
        for empty in ("empty.py", "empty.sql"):
            (root / empty).touch()
        (root / "policies").mkdir()
        for mood in MOODS:
            (root / "policies" / f"{mood}.yaml").write_text(f"name: {mood}\n")
        yield root / "testbed.yaml"


@pytest.fixture(scope="session")
def standin(standin_file: Path) -> TestbedSpec:
    """The spec of two stand-in services, front and back; back has a database."""
    return load_testbed(standin_file)


@pytest.fixture(scope="session")
def shop_spec() -> TestbedSpec:
    """Our own system."""
    return load_testbed(ROOT / "testbed.yaml")
