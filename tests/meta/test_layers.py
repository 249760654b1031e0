"""Imports point one way (design, Part 5)."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "reservations", "inventory", "payments", "notifications")


def modules_below(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer they reach into"
            yield node.module or ""


def offences(folder: str, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules_below(folder)
        for name in imports_of(path)
        if any(name == root or name.startswith(root + ".") for root in forbidden)
    ]


def test_the_kit_imports_no_service() -> None:
    """The kit is below the shop, every service, the runner and the load generator."""
    above = (*(f"services.{name}" for name in (*SERVICES, "shop")), "aguante", "loadtests")
    assert offences("services/kit", above) == []


KIT = ("failures", "policy", "telemetry", "patterns", "database", "http", "process")
"""The folders of the kit, from the bottom up: a folder imports only those before it."""


def test_the_kits_folders_import_one_way() -> None:
    """So each can be read when those below it are known, and none is part of a circle."""
    folders = {
        path.parent.name for path in modules_below("services/kit") if path.stem != "__init__"
    }
    assert folders == set(KIT)
    for at, folder in enumerate(KIT):
        above = tuple(f"services.kit.{name}" for name in KIT[at + 1 :])
        assert offences(f"services/kit/{folder}", above) == []


def test_the_shop_imports_the_kit_alone() -> None:
    """What the services agree on is below each of them."""
    above = (*(f"services.{name}" for name in SERVICES), "aguante", "loadtests")
    assert offences("services/shop", above) == []


def test_services_have_one_shape() -> None:
    """The same files with the same names; what one does not need it does not have, what only one needs is its own."""
    common = {"__init__.py", "__main__.py", "app.py", "handlers.py", "settings.py"}
    optional = {"clients.py", "domain.py", "repository.py"}
    for service in SERVICES:
        files = {path.name for path in (ROOT / "services" / service).glob("*.py")}
        assert common <= files
        assert service in ("inventory", "reservations") or files <= common | optional


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_no_other_service(service: str) -> None:
    """Services meet over HTTP alone, and know nothing of the runner."""
    others = tuple(f"services.{name}" for name in SERVICES if name != service)
    assert offences(f"services/{service}", (*others, "aguante", "loadtests")) == []


def test_the_runner_never_imports_the_services() -> None:
    """The runner knows the system through testbed.yaml, so that another can be put in its place."""
    assert offences("aguante", ("services", "loadtests")) == []


def test_the_load_generator_imports_only_records_and_rates() -> None:
    """loadtests is usable with plain Locust: of aguante it needs the columns and the rates' arithmetic alone."""
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules_below("loadtests")
        for name in imports_of(path)
        if name.split(".")[0] in ("aguante", "services")
        and name not in ("aguante.load_protocol.records", "aguante.load_protocol.rates")
    ]
    assert found == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_domain_imports_the_standard_library_only(service: str) -> None:
    """What is decided in a domain can be read and tested without any framework."""
    path = ROOT / "services" / service / "domain.py"
    if not path.exists():
        assert service in ("gateway", "notifications"), f"{path} is missing"
        return
    foreign = [n for n in imports_of(path) if n.split(".")[0] not in sys.stdlib_module_names]
    assert foreign == []


def test_only_measure_reads_rows() -> None:
    """Outside measure/ and collect/ nobody opens the rows of a run (design, Part 3)."""
    readers = [
        str(path.relative_to(ROOT))
        for path in modules_below("aguante")
        if any(name.split(".")[0] == "duckdb" for name in imports_of(path))
        and path.relative_to(ROOT).parts[1] not in ("measure", "collect")
    ]
    assert readers == []


METRICS = (
    "services.kit.telemetry",
    "services.kit.telemetry.metrics",
    "services.reservations",
    "services.reservations.saga_metrics",
)


def test_dashboards_know_the_services_metrics_alone() -> None:
    """They are drawn from names and labels; nothing that runs leans on them."""
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules_below("dashboards")
        for name in imports_of(path)
        if name.split(".")[0] in ("aguante", "services", "loadtests") and name not in METRICS
    ]
    assert found == []
    for folder in ("aguante", "services", "loadtests", "stress"):
        assert offences(folder, ("dashboards",)) == []


PIPELINE = (
    "core",
    "load_protocol",
    "testbed",
    "faults",
    "expectations",
    "experiment",
    "plan",
    "run_folder",
    "clients",
    "runtimes",
    "drivers",
    "load",
    "collect",
    "measure",
    "verdict",
    "report",
    "run",
    "suite",
    "cli",
)
"""The folders of ``aguante/`` in the order of the pipeline: each imports only from those before it."""
MODULES_IN_A_FOLDER_MAX = 22


def folder_of(module: str) -> str:
    """The second part of ``aguante.run.abort``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_every_folder_of_the_runner_is_in_the_pipeline() -> None:
    """A new folder takes a place in the order; nothing lies flat beside them."""
    found = {path.relative_to(ROOT / "aguante").parts[0] for path in modules_below("aguante")}
    assert found == {*PIPELINE, "__init__.py", "__main__.py"}


@pytest.mark.parametrize("folder", PIPELINE)
def test_the_folders_of_the_runner_import_one_way(folder: str) -> None:
    """The pipeline is read from top to bottom, and no two folders import each other."""
    later = PIPELINE[PIPELINE.index(folder) + 1 :]
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules_below(f"aguante/{folder}")
        for name in imports_of(path)
        if name.split(".")[0] == "aguante" and folder_of(name) in later
    ]
    assert found == []


RUNTIMES = ("servers", "", "native", "compose", "attach", "chosen_runtime")
"""The parts of ``aguante/runtimes`` from bottom to top; empty: the modules of the folder itself."""


def runtimes_part(module: str) -> str:
    """The part of ``RUNTIMES`` that ``aguante.runtimes.native.port_map`` belongs to."""
    part = module.removeprefix("aguante.runtimes").removeprefix(".").split(".")[0]
    return part if part in RUNTIMES else ""


@pytest.mark.parametrize("part", RUNTIMES)
def test_the_parts_of_the_runtimes_import_one_way(part: str) -> None:
    """Native and compose runtimes do not know each other, and what they share knows neither."""
    above = set(RUNTIMES[RUNTIMES.index(part) + 1 :])
    above |= {"native"} if part == "compose" else set()
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules_below("aguante/runtimes")
        if runtimes_part(".".join(path.relative_to(ROOT).with_suffix("").parts)) == part
        for name in imports_of(path)
        if name.startswith("aguante.runtimes.") and runtimes_part(name) in above
    ]
    assert found == []


def test_no_two_modules_import_each_other() -> None:
    """The modules of the runner form no import cycle."""
    graph = {}
    for path in modules_below("aguante"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {each for each in imports_of(path) if each.startswith("aguante")}
    TopologicalSorter({name: needs & graph.keys() for name, needs in graph.items()}).prepare()


def test_a_folder_of_the_runner_is_taken_in_at_one_look() -> None:
    """A folder with more modules than fit on one screen is divided."""
    sizes = Counter(path.parent.relative_to(ROOT) for path in modules_below("aguante"))
    assert {str(k): n for k, n in sizes.items() if n > MODULES_IN_A_FOLDER_MAX} == {}


def test_no_two_modules_of_the_runner_share_a_name() -> None:
    """One name means one thing; a module of ``cli/commands`` is named after its command."""
    names = Counter(
        path.stem
        for path in modules_below("aguante")
        if path.parent.name != "commands" and not path.stem.startswith("__")
    )
    assert [name for name, n in names.items() if n > 1] == []


def test_stress_stands_outside_of_everything() -> None:
    """It treats the system as its clients do, and nothing that is shipped to users leans on it."""
    assert offences("stress", ("services",)) == []
    inside = [
        each
        for folder in ("aguante", "services", "loadtests")
        for each in offences(folder, ("stress",))
    ]
    assert inside == []
