"""Who listens where, and what each service is told of it."""

from pathlib import Path

import pytest

from aguante.runtimes import ports
from aguante.runtimes.native.port_map import PortMap, assign_ports
from aguante.runtimes.native.service_processes import (
    Instance,
    link_variable,
    service_command,
    service_environment,
)
from aguante.runtimes.ports import Ports
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_spec import REPLICAS_MAX, TestbedSpec
from aguante.testbed.up_arguments import check_replicas


@pytest.fixture
def layout(shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch) -> PortMap:
    """Of our own system, with every port free."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    return assign_ports(shop, Ports(0), None)


def instance(layout: PortMap, name: str) -> Instance:
    return next(each for each in layout.instances if each.name == name)


def test_no_two_parts_share_a_port(layout: PortMap) -> None:
    """Services, links, Toxiproxy and PostgreSQL."""
    listening = [link.listen for link in layout.links.values()]
    own = [f"127.0.0.1:{port}" for port in layout.services.values()]
    servers = [f"127.0.0.1:{layout.toxiproxy}", f"127.0.0.1:{layout.postgres}"]
    assert len({*listening, *own, *servers}) == len(listening) + len(own) + 2


def test_a_link_leads_to_its_callee(layout: PortMap, shop: TestbedSpec) -> None:
    """A service's own port, or PostgreSQL's."""
    for link in shop.call_links:
        port = layout.services[link.callee] if link.kind == "http" else layout.postgres
        assert layout.links[link.name].upstream == f"127.0.0.1:{port}"


def test_the_link_of_the_spans_leads_to_whoever_takes_them(
    layout: PortMap, shop: TestbedSpec
) -> None:
    """At first to a port that is kept free; then to the collector of the run, while everything else stays."""
    link = shop.telemetry_link
    assert link
    led = layout.with_spans_to(link, "http://127.0.0.1:4318")
    assert led.links[link.name].upstream == "127.0.0.1:4318"
    assert led.links[link.name].listen == layout.links[link.name].listen
    nobody = layout.links[link.name].upstream
    assert nobody not in {each.listen for each in layout.links.values()}
    assert {k: v for k, v in led.links.items() if k != link.name} == {
        k: v for k, v in layout.links.items() if k != link.name
    }


def test_a_fixed_gateway_port_is_the_entry_links_alone(
    shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway itself keeps a port of its own, so that the entry stays a link."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    layout = assign_ports(shop, Ports(0), 5000)
    assert layout.links["client-gateway"].listen == "127.0.0.1:5000"
    assert layout.services["gateway"] != 5000


@pytest.mark.parametrize("name", ["gateway", "reservations", "inventory", "payments"])
def test_a_service_is_told_exactly_its_own_links(
    name: str, layout: PortMap, shop: TestbedSpec
) -> None:
    """One variable per link on which it is the caller."""
    env = service_environment(shop, instance(layout, f"{name}-1"), layout.links, Path("p.yaml"), "")
    told = {key for key in env if key.startswith("LINK_")}
    assert told == {link_variable(link) for link in shop.links if link.caller == name}


def test_addresses_are_those_of_the_contract(layout: PortMap, shop: TestbedSpec) -> None:
    """HTTP links are base URLs, database links are DSNs with role and database."""
    payments = instance(layout, "payments-1")
    env = service_environment(shop, payments, layout.links, Path("p.yaml"), "http://c:4318")
    assert env["LINK_PAYMENTS_DB"] == (
        f"postgresql://payments@{layout.links['payments-db'].listen}/payments"
    )
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://c:4318"
    assert env["AGUANTE_POLICY"] == "p.yaml"


def test_a_service_inherits_little_of_the_users_environment(
    layout: PortMap, shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No HTTP proxy and no OpenTelemetry setting of the user's changes what is tried."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    command = service_command(shop, layout.instances[0], {}, tmp_path)
    assert command.env["PORT"] == str(layout.instances[0].port)
    assert command.env["PYTHONWARNINGS"] == "error"
    assert not {"HTTPS_PROXY", "OTEL_SDK_DISABLED"} & set(command.env)
    assert command.argv[1:] == ("-m", shop.services[0].module)
    assert command.cwd == shop.root


@pytest.fixture
def doubled(shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch) -> PortMap:
    """Two inventories, one of everything else."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    return assign_ports(shop, Ports(0), None, {"inventory": 2})


def test_replicas_share_the_port_that_links_lead_to(
    doubled: PortMap, shop: TestbedSpec, tmp_path: Path
) -> None:
    """Each has a port of its own besides, which is what the runner asks."""
    one, two = instance(doubled, "inventory-1"), instance(doubled, "inventory-2")
    shared = one.shared_port
    assert two.shared_port == shared
    assert len({one.port, two.port, shared}) == 3
    assert doubled.links["reservations-inventory"].upstream == f"127.0.0.1:{shared}"
    env = service_command(shop, two, {}, tmp_path).env
    assert (env["PORT"], env["OWN_PORT"]) == (str(shared), str(two.port))


def test_replicas_are_told_apart_by_their_instance_id(doubled: PortMap, shop: TestbedSpec) -> None:
    """Hence in spans and metrics; their logs are files of their own."""
    for name in ("inventory-1", "inventory-2"):
        env = service_environment(shop, instance(doubled, name), doubled.links, Path("p.yaml"), "")
        assert env["OTEL_RESOURCE_ATTRIBUTES"] == f"service.instance.id={name}"
        logs = Path("logs")
        assert service_command(shop, instance(doubled, name), env, logs).log == logs / f"{name}.log"


def test_a_service_that_has_no_replica_has_one_port(
    doubled: PortMap, shop: TestbedSpec, tmp_path: Path
) -> None:
    """Which nobody can share by accident."""
    payments = instance(doubled, "payments-1")
    assert payments.port == payments.shared_port
    assert "OWN_PORT" not in service_command(shop, payments, {}, tmp_path).env


def test_eight_of_everything_fit_into_the_ports_of_one_testbed(
    shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is one that can be reached."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    everything = {service.name: REPLICAS_MAX for service in shop.services}
    assert len(assign_ports(shop, Ports(0), None, everything).instances) == 5 * REPLICAS_MAX


@pytest.mark.parametrize(
    ("replicas", "said"),
    [
        ({"inventroy": 2}, r"'inventroy': no such service; there are: gateway"),
        ({"inventory": 0}, r"0 replicas of inventory: choose 1 to 8"),
        ({"inventory": 9}, r"9 replicas of inventory: choose 1 to 8"),
    ],
)
def test_replicas_that_cannot_be_are_named(
    replicas: dict[str, int], said: str, shop: TestbedSpec
) -> None:
    """An unknown service, none at all, or too many."""
    with pytest.raises(TestbedError, match=said):
        check_replicas(shop, replicas)
