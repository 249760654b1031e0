"""Reading a compose file, and the messages about unsuitable ones."""

from pathlib import Path

import pytest

from aguante.runtimes.compose.compose_file import needed_ports, read_compose_file
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def spec() -> TestbedSpec:
    return load_testbed(ROOT / "testbed.yaml")


def spoilt(folder: Path, old: str, new: str) -> Path:
    """A copy of our compose file with a text replaced."""
    text = (ROOT / "docker-compose.yml").read_text()
    assert old in text
    path = folder / "docker-compose.yml"
    path.write_text(text.replace(old, new))
    return path


def test_our_own_file_holds_all_that_a_run_needs(spec: TestbedSpec) -> None:
    """It contains every service, Toxiproxy, PostgreSQL and the relay; only these are started."""
    found = read_compose_file(ROOT / "docker-compose.yml", spec)
    assert set(found.started(spec)) == {
        *(each.name for each in spec.services),
        "toxiproxy",
        "postgres",
        "telemetry",
    }
    variables = {found.ports[each] for each in needed_ports(spec, found)}
    assert len(variables) == len(needed_ports(spec, found)) == 9


def test_a_service_that_is_missing_is_named(spec: TestbedSpec, tmp_path: Path) -> None:
    """The file must contain every service of testbed.yaml under the same name."""
    path = spoilt(tmp_path, "\n  payments:\n    <<: *service", "\n  billing:\n    <<: *service")
    with pytest.raises(
        TestbedError,
        match=r"has no service payments; it must contain every service of testbed\.yaml",
    ):
        read_compose_file(path, spec)


def test_a_port_that_no_variable_publishes_is_named_with_the_line_to_write(
    spec: TestbedSpec, tmp_path: Path
) -> None:
    """A fixed port cannot be used by two testbeds; the message shows the line to write."""
    path = spoilt(tmp_path, "127.0.0.1:${AGUANTE_PAYMENTS_PORT:-5003}:5003", "127.0.0.1:5003:5003")
    with pytest.raises(TestbedError, match=r"port 5003 of payments.*PAYMENTS_PORT:-5003"):
        read_compose_file(path, spec)


@pytest.mark.parametrize("text", ["services: [", "\x00"])
def test_a_file_that_cannot_be_read_is_one_message(
    text: str, spec: TestbedSpec, tmp_path: Path
) -> None:
    """The user sees one message, no traceback."""
    (tmp_path / "c.yml").write_text(text)
    with pytest.raises(TestbedError, match=r"c.yml cannot be read"):
        read_compose_file(tmp_path / "c.yml", spec)


def test_a_file_that_is_not_there_is_one_message(spec: TestbedSpec, tmp_path: Path) -> None:
    """The installed package and the runner's image contain no compose file."""
    with pytest.raises(
        TestbedError, match=r"does not exist: an installed package has no compose file"
    ):
        read_compose_file(tmp_path / "c.yml", spec)
