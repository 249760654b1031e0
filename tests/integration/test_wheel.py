"""The wheel: one package that holds the shop, and works in an empty folder."""

import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from native_harness import private_folder
from wheel_harness import ROOT, Installed, build, install

PARTS = (
    "chaos-experiments",
    "invariants",
    "loadtests",
    "policies",
    "proxies",
    "reports",
    "schemas",
)
PARTS += (
    "services",
    "dashboards/prometheus",
    "tools/jaeger",
    "tools/prometheus",
    "tools/toxiproxy",
)
HELP_LIMIT_S = 0.3
INSTALLED = pytest.mark.long("installs the wheel with all its dependencies into a new environment")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(
    built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory, toxiproxy_binary: Path
) -> Iterator[Installed]:
    home = tmp_path_factory.mktemp("wheel")
    python = install(built[0], "3.11", home / "venv")
    folder = home / "empty"
    folder.mkdir()
    with private_folder() as state:
        variables = {"AGUANTE_STATE": str(state), "AGUANTE_TOXIPROXY": str(toxiproxy_binary)}
        yield Installed(python, folder, variables)


def test_the_wheel_installs_one_package(built: tuple[Path, Path]) -> None:
    """Nothing but ``aguante`` lands in site-packages: no ``services``, ``loadtests`` or ``tests``."""
    with zipfile.ZipFile(built[0]) as wheel:
        tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"aguante"}


def test_the_wheel_holds_every_file_of_the_shop(built: tuple[Path, Path]) -> None:
    """What the shop needs in a checkout is in the wheel, each file in its place."""
    wanted = {"testbed.yaml"}
    for part in PARTS:
        files = (path for path in (ROOT / part).rglob("*") if path.is_file())
        wanted |= {str(p.relative_to(ROOT)) for p in files if "__pycache__" not in p.parts}
    with zipfile.ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
    assert {f"aguante/shop/{name}" for name in wanted} - names == set()
    assert {"aguante/py.typed", "aguante/report/templates/report.html"} <= names


def test_the_wheel_says_what_it_is(built: tuple[Path, Path]) -> None:
    """Licence, description and extras are in its metadata; no address is invented."""
    with zipfile.ZipFile(built[0]) as wheel:
        names = wheel.namelist()
        (name,) = [each for each in names if each.endswith(".dist-info/METADATA")]
        metadata = wheel.read(name).decode()
    assert any(each.endswith(".dist-info/licenses/LICENSE") for each in names)
    for line in ("License-Expression: Apache-2.0", "Provides-Extra: charts", "Typing :: Typed"):
        assert line in metadata
    assert "Description-Content-Type: text/markdown" in metadata


def test_the_source_distribution_holds_no_leftovers(built: tuple[Path, Path]) -> None:
    """No environment, no run and no cache of the machine that built it."""
    with tarfile.open(built[1]) as source:
        parts = {part for name in source.getnames() for part in name.split("/")}
    assert parts & {".venv", "runs", "dist", "__pycache__", ".git"} == set()
    assert {"LICENSE", "tests", "Makefile"} <= parts


@INSTALLED
def test_an_installed_package_adds_no_other_module(installed: Installed) -> None:
    """A user's own ``services`` or ``tests`` cannot be shadowed."""
    assert installed.importable("aguante")
    for name in ("services", "loadtests", "stress", "tests", "shop"):
        assert not installed.importable(name)


@INSTALLED
def test_help_answers_at_once(installed: Installed) -> None:
    """`aguante --help` takes less than 0.3 s of processor time, the best of three."""
    assert min(installed.processor_s("--help") for _ in range(3)) < HELP_LIMIT_S


@INSTALLED
def test_list_shows_the_library(installed: Installed) -> None:
    """In an empty folder `aguante list` lists the experiments under the names that `run` takes."""
    listed = installed.json_of("list", "--json")
    assert isinstance(listed, list)
    assert "payments-slow" in {each["path"] for each in listed}
    assert {each["findings"] for each in listed} == {0}


@INSTALLED
def test_up_and_down_work_from_an_empty_folder(installed: Installed) -> None:
    """The packaged services start, serve, and end."""
    testbed = installed.json_of("up", "--detach", "--json")
    assert isinstance(testbed, dict)
    try:
        assert requests.get(f"{testbed['gateway']}/readyz", timeout=5).status_code == 200
    finally:
        ended = installed.run("down", testbed["id"])
    assert ended.returncode == 0, ended.stderr


@INSTALLED
def test_load_works_from_an_empty_folder(installed: Installed) -> None:
    """The packaged load generator sends requests, and the run's folder is in the current one."""
    done = installed.run("load", "--rate", "20", "--duration", "2", "--ci")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(installed.folder.glob("runs/*-load-*/verdict.json"))


@INSTALLED
def test_an_experiment_is_played_by_its_name(installed: Installed) -> None:
    """`aguante run NAME` ends with a verdict, whichever, and a report that names the extra for charts."""
    short = ("load.rate_rps=20", "phases.baseline_s=3", "phases.fault_s=3")
    sets = [word for each in short for word in ("--set", each)]
    done = installed.run("run", "no-fault", "--ci", *sets)
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    (folder,) = installed.folder.glob("runs/*-no-fault-*")
    assert json.loads((folder / "verdict.json").read_text())["experiment"] == "no-fault"
    assert "pip install 'aguante[charts]'" in (folder / "report.html").read_text()
