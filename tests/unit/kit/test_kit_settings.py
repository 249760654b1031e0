from pathlib import Path

import pytest

from services.kit.policy.findings import Invalid
from services.kit.process.settings import link_variable, read_settings

POLICY = str(Path(__file__).parents[3] / "policies" / "default.yaml")
LINKS = ("reservations-payments", "reservations-inventory")
GOOD = {
    "HOST": "127.0.0.1",
    "PORT": "5001",
    "AGUANTE_POLICY": POLICY,
    "LINK_RESERVATIONS_PAYMENTS": "http://127.0.0.1:6004",
    "LINK_RESERVATIONS_INVENTORY": "http://127.0.0.1:6003",
    "LINK_RESERVATIONS_DB": "postgresql://reservations@127.0.0.1:6101/reservations",
    "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=reservations-1, aguante.run_id=r7",
}


def test_reads_what_the_contract_lists() -> None:
    """A complete environment gives complete settings; what is optional has its default."""
    settings = read_settings("reservations", GOOD, links=LINKS, database=True)
    assert settings.port == 5001
    assert settings.links["reservations-payments"] == "http://127.0.0.1:6004"
    assert settings.database_url == GOOD["LINK_RESERVATIONS_DB"]
    assert settings.otlp_endpoint is None
    assert settings.resource_attributes["aguante.run_id"] == "r7"
    assert settings.log_level == "INFO"


def test_a_replica_has_a_port_of_its_own() -> None:
    """OWN_PORT; absent or empty: PORT is this process's alone."""
    given = {**GOOD, "OWN_PORT": "5101"}
    assert read_settings("reservations", given, links=LINKS, database=True).own_port == 5101
    for alone in (GOOD, {**GOOD, "OWN_PORT": ""}):
        assert read_settings("reservations", alone, links=LINKS, database=True).own_port is None


def test_an_empty_environment_reports_every_variable() -> None:
    """All that is missing is named at once."""
    with pytest.raises(Invalid) as invalid:
        read_settings("reservations", {}, links=LINKS, database=True)
    named = {finding.where for finding in invalid.value.findings}
    assert named == set(GOOD) - {"OTEL_RESOURCE_ATTRIBUTES"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "²"),
        ("OWN_PORT", "many"),
        ("AGUANTE_POLICY", "nowhere.yaml"),
        ("LINK_RESERVATIONS_PAYMENTS", "127.0.0.1:6004"),
        ("LINK_RESERVATIONS_PAYMENTS", "http://127.0.0.1"),
        ("LINK_RESERVATIONS_PAYMENTS", "http://127.0.0.1:port"),
        ("LINK_RESERVATIONS_PAYMENTS", "http://[::1"),
        ("LINK_RESERVATIONS_DB", "http://127.0.0.1:6101/reservations"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_RESOURCE_ATTRIBUTES", "nonsense"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_malformed_variable_is_one_finding_that_shows_it(name: str, value: str) -> None:
    """One wrong value is one finding, with the variable's name and what was found."""
    with pytest.raises(Invalid) as invalid:
        read_settings("reservations", {**GOOD, name: value}, links=LINKS, database=True)
    (finding,) = invalid.value.findings
    assert finding.where == name
    assert value in finding.message


def test_a_links_variable_is_named_after_it() -> None:
    """The contract's spelling of a link in the environment."""
    assert link_variable("payments-db") == "LINK_PAYMENTS_DB"
