"""The ports of a native testbed, and the addresses in each service's environment."""

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
def port_map(shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch) -> PortMap:
    """The ports of our own system, with every port free."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    return assign_ports(shop, Ports(0), None)


def instance(port_map: PortMap, name: str) -> Instance:
    return next(each for each in port_map.instances if each.name == name)


def test_no_two_parts_share_a_port(port_map: PortMap) -> None:
    """Services, links, Toxiproxy and PostgreSQL have different ports."""
    listening = [link.listen for link in port_map.links.values()]
    own = [f"127.0.0.1:{port}" for port in port_map.services.values()]
    servers = [f"127.0.0.1:{port_map.toxiproxy}", f"127.0.0.1:{port_map.postgres}"]
    assert len({*listening, *own, *servers}) == len(listening) + len(own) + 2


def test_a_link_leads_to_its_callee(port_map: PortMap, shop: TestbedSpec) -> None:
    """A link's upstream is the service's port, or PostgreSQL's."""
    for link in shop.call_links:
        port = port_map.services[link.callee] if link.kind == "http" else port_map.postgres
        assert port_map.links[link.name].upstream == f"127.0.0.1:{port}"


def test_the_link_of_the_spans_leads_to_the_collector(port_map: PortMap, shop: TestbedSpec) -> None:
    """It leads to a reserved port first, then to the collector of the run; nothing else changes."""
    link = shop.telemetry_link
    assert link
    led = port_map.with_spans_to(link, "http://127.0.0.1:4318")
    assert led.links[link.name].upstream == "127.0.0.1:4318"
    assert led.links[link.name].listen == port_map.links[link.name].listen
    nobody = port_map.links[link.name].upstream
    assert nobody not in {each.listen for each in port_map.links.values()}
    assert {k: v for k, v in led.links.items() if k != link.name} == {
        k: v for k, v in port_map.links.items() if k != link.name
    }


def test_a_fixed_gateway_port_is_the_entry_links_alone(
    shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway itself has another port, so that the entry is still a link."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    port_map = assign_ports(shop, Ports(0), 5000)
    assert port_map.links["client-gateway"].listen == "127.0.0.1:5000"
    assert port_map.services["gateway"] != 5000


@pytest.mark.parametrize("name", ["gateway", "reservations", "inventory", "payments"])
def test_a_service_receives_exactly_its_own_links(
    name: str, port_map: PortMap, shop: TestbedSpec
) -> None:
    """There is one variable per link on which the service is the caller."""
    env = service_environment(
        shop, instance(port_map, f"{name}-1"), port_map.links, Path("p.yaml"), ""
    )
    configured = {key for key in env if key.startswith("LINK_")}
    assert configured == {link_variable(link) for link in shop.links if link.caller == name}


def test_addresses_are_those_of_the_contract(port_map: PortMap, shop: TestbedSpec) -> None:
    """HTTP links are base URLs; database links are DSNs with role and database."""
    payments = instance(port_map, "payments-1")
    env = service_environment(shop, payments, port_map.links, Path("p.yaml"), "http://c:4318")
    assert env["LINK_PAYMENTS_DB"] == (
        f"postgresql://payments@{port_map.links['payments-db'].listen}/payments"
    )
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://c:4318"
    assert env["AGUANTE_POLICY"] == "p.yaml"


def test_a_service_inherits_little_of_the_users_environment(
    port_map: PortMap, shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The user's HTTP proxy and OpenTelemetry settings do not affect a run."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    command = service_command(shop, port_map.instances[0], {}, tmp_path)
    assert command.env["PORT"] == str(port_map.instances[0].port)
    assert command.env["PYTHONWARNINGS"] == "error"
    assert not {"HTTPS_PROXY", "OTEL_SDK_DISABLED"} & set(command.env)
    assert command.argv[1:] == ("-m", shop.services[0].module)
    assert command.cwd == shop.root


@pytest.fixture
def doubled(shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch) -> PortMap:
    """Two instances of inventory, one of everything else."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    return assign_ports(shop, Ports(0), None, {"inventory": 2})


def test_replicas_share_the_port_that_links_lead_to(
    doubled: PortMap, shop: TestbedSpec, tmp_path: Path
) -> None:
    """Each instance also has its own port, which the runner uses."""
    one, two = instance(doubled, "inventory-1"), instance(doubled, "inventory-2")
    shared = one.shared_port
    assert two.shared_port == shared
    assert len({one.port, two.port, shared}) == 3
    assert doubled.links["reservations-inventory"].upstream == f"127.0.0.1:{shared}"
    env = service_command(shop, two, {}, tmp_path).env
    assert (env["PORT"], env["OWN_PORT"]) == (str(shared), str(two.port))


def test_replicas_have_different_instance_ids(doubled: PortMap, shop: TestbedSpec) -> None:
    """Spans and metrics contain the instance id, and each instance has its own log."""
    for name in ("inventory-1", "inventory-2"):
        env = service_environment(shop, instance(doubled, name), doubled.links, Path("p.yaml"), "")
        assert env["OTEL_RESOURCE_ATTRIBUTES"] == f"service.instance.id={name}"
        logs = Path("logs")
        assert service_command(shop, instance(doubled, name), env, logs).log == logs / f"{name}.log"


def test_a_service_that_has_no_replica_has_one_port(
    doubled: PortMap, shop: TestbedSpec, tmp_path: Path
) -> None:
    """No other process can share that port by accident."""
    payments = instance(doubled, "payments-1")
    assert payments.port == payments.shared_port
    assert "OWN_PORT" not in service_command(shop, payments, {}, tmp_path).env


def test_eight_of_everything_fit_into_the_ports_of_one_testbed(
    shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maximum number of replicas fits into one testbed's ports."""
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
    """An unknown service, zero replicas and too many replicas are rejected."""
    with pytest.raises(TestbedError, match=said):
        check_replicas(shop, replicas)
