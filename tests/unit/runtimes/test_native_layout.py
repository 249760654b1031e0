"""Who listens where, and what each service is told of it."""

from pathlib import Path

import pytest

from aguante.runtimes import ports
from aguante.runtimes.layout import Layout, lay_out
from aguante.runtimes.ports import Ports
from aguante.runtimes.services import link_variable, service_command, service_environment
from aguante.testbed import TestbedSpec


@pytest.fixture
def layout(shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Of our own system, with every port free."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    return lay_out(shop, Ports(0), None)


def test_no_two_parts_share_a_port(layout: Layout) -> None:
    """Services, links, Toxiproxy and PostgreSQL."""
    listening = [link.listen for link in layout.links.values()]
    own = [f"127.0.0.1:{port}" for port in layout.services.values()]
    servers = [f"127.0.0.1:{layout.toxiproxy}", f"127.0.0.1:{layout.postgres}"]
    assert len({*listening, *own, *servers}) == len(listening) + len(own) + 2


def test_a_link_leads_to_its_callee(layout: Layout, shop: TestbedSpec) -> None:
    """A service's own port, or PostgreSQL's."""
    for link in shop.links:
        port = layout.services[link.callee] if link.kind == "http" else layout.postgres
        assert layout.links[link.name].upstream == f"127.0.0.1:{port}"


def test_a_fixed_gateway_port_is_the_entry_links_alone(
    shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway itself keeps a port of its own, so that the entry stays a link."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    layout = lay_out(shop, Ports(0), 5000)
    assert layout.links["client-gateway"].listen == "127.0.0.1:5000"
    assert layout.services["gateway"] != 5000


@pytest.mark.parametrize("name", ["gateway", "reservations", "inventory", "payments"])
def test_a_service_is_told_exactly_its_own_links(
    name: str, layout: Layout, shop: TestbedSpec
) -> None:
    """One variable per link on which it is the caller."""
    service = next(each for each in shop.services if each.name == name)
    env = service_environment(shop, service, layout.links, Path("p.yaml"), "")
    told = {key for key in env if key.startswith("LINK_")}
    assert told == {link_variable(link) for link in shop.links if link.caller == name}


def test_addresses_are_those_of_the_contract(layout: Layout, shop: TestbedSpec) -> None:
    """HTTP links are base URLs, database links are DSNs with role and database."""
    payments = next(each for each in shop.services if each.name == "payments")
    env = service_environment(shop, payments, layout.links, Path("p.yaml"), "http://c:4318")
    assert env["LINK_PAYMENTS_DB"] == (
        f"postgresql://payments@{layout.links['payments-db'].listen}/payments"
    )
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://c:4318"
    assert env["AGUANTE_POLICY"] == "p.yaml"


def test_a_service_inherits_little_of_the_users_environment(
    layout: Layout, shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No HTTP proxy and no OpenTelemetry setting of the user's changes what is tried."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    command = service_command(shop, shop.services[0], 20_001, {}, tmp_path / "log")
    assert command.env["PORT"] == "20001"
    assert command.env["PYTHONWARNINGS"] == "error"
    assert not {"HTTPS_PROXY", "OTEL_SDK_DISABLED"} & set(command.env)
    assert command.argv[1:] == ("-m", shop.services[0].module)
    assert command.cwd == shop.root
