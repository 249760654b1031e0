"""Every fact has one owner; whoever repeats it is checked against it (design, Part 3)."""

import re
from pathlib import Path
from typing import cast

from ruamel.yaml import YAML

from aguante.testbed import metric_names as signals
from loadtests.operations import OPERATIONS
from loadtests.profiles import PROFILES
from services.kit.telemetry import metrics
from services.reservations import saga_metrics

ROOT = Path(__file__).parents[2]


def read(name: str) -> dict[str, list[dict[str, str]]]:
    loaded: dict[str, list[dict[str, str]]] = YAML(typ="safe").load((ROOT / name).read_text())
    return loaded


def test_links_join_what_the_testbed_has() -> None:
    """Each link's ends are a client, a service or a database of testbed.yaml; or all services, and their collector."""
    testbed, links = read("testbed.yaml"), read("proxies/links.yaml")["links"]
    services = {service["name"] for service in testbed["services"]}
    databases = {database["name"] for database in testbed["databases"]}
    (spans,) = (link for link in links if link["kind"] == "otlp")
    assert (spans["caller"], spans["callee"]) == ("services", "telemetry")
    for link in (each for each in links if each is not spans):
        assert link["caller"] in services | {"client"}, link
        assert link["callee"] in (databases if link["kind"] == "postgresql" else services), link


def test_links_have_names_and_ports_of_their_own() -> None:
    """Two proxies cannot share a name or a port."""
    links = read("proxies/links.yaml")["links"]
    assert len({link["name"] for link in links}) == len(links) == 10
    assert len({link["port"] for link in links}) == len(links)


def test_profiles_and_operations_are_those_of_the_load_generator() -> None:
    """testbed.yaml offers what loadtests can play, no more and no less."""
    load = cast("dict[str, list[str]]", read("testbed.yaml")["load"])
    assert set(load["profiles"]) == set(PROFILES)
    assert set(load["operations"]) == set(OPERATIONS)


def test_metrics_that_the_runner_reads_are_those_of_the_services() -> None:
    """The kit and reservations own them; the runner may not import either, and repeats them."""
    ours = {key: value for key, value in vars(signals).items() if key.isupper()}
    theirs = vars(metrics) | vars(saga_metrics)
    assert ours == {key: theirs[key] for key in ours}


def test_policies_name_only_links_that_exist() -> None:
    """A policy for a link that is not there would be a setting without effect."""
    links = {link["name"] for link in read("proxies/links.yaml")["links"]}
    for path in sorted((ROOT / "policies").glob("*.yaml")):
        named = set(YAML(typ="safe").load(path.read_text())["links"])
        assert named <= links, f"{path.name}: {sorted(named - links)}"


def test_the_lock_file_names_no_address_and_checks_every_hash() -> None:
    """requirements.txt works with any mirror, and nothing unexpected is installed from one."""
    for name in ("requirements.txt", "tools/uv.txt"):
        text = (ROOT / name).read_text()
        assert not re.search(r"https?://|--index|--find-links", text)
        pins = re.findall(
            r"^[a-z0-9._-]+(?:\[[^]]*\])?==.*?(?=^[a-z0-9]|\Z)", text, re.M | re.S | re.I
        )
        assert pins
        assert all("--hash=sha256:" in pin for pin in pins)
