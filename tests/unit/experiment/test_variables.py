"""``vars:``, ``${name}`` and ``--set``."""

from pathlib import Path

import pytest
from broken_files import GOOD

from aguante.core.yaml_document import plain_value
from aguante.experiment import Experiment, InvalidExperiment, load_experiment
from aguante.testbed.testbed_spec import TestbedSpec

WITH_VARS = GOOD.replace("policy: default", "vars: {rate: 60, slow_ms: 3500, what: payments}").replace(
    "rate_rps: 60", 'rate_rps: "${rate}"'
).replace("latency_ms: 3500", 'latency_ms: "${slow_ms}"').replace(
    "link: reservations-payments, toxic", "link: 'reservations-${what}', toxic"
)  # fmt: skip


def load(text: str, shop: TestbedSpec, folder: Path, *sets: str) -> Experiment:
    path = folder / "experiment.yaml"
    path.write_text(text)
    return load_experiment(path, shop, sets)


def findings(text: str, shop: TestbedSpec, folder: Path, *sets: str) -> list[str]:
    with pytest.raises(InvalidExperiment) as raised:
        load(text, shop, folder, *sets)
    return [str(each).removeprefix(f"{folder}/experiment.yaml") for each in raised.value.findings]


def toxic(experiment: Experiment) -> tuple[str, int]:
    section = experiment.faults[0].toxiproxy
    assert section is not None
    return section.link, section.attributes["latency_ms"]


def test_a_variable_gives_its_value_and_type(shop: TestbedSpec, tmp_path: Path) -> None:
    """Alone it keeps its type, quoted or not; inside a text it is inserted."""
    experiment = load(WITH_VARS, shop, tmp_path)
    assert experiment.load.rate_rps == 60
    assert toxic(experiment) == ("reservations-payments", 3500)


def test_a_setting_changes_a_variable_wherever_it_is_used(
    shop: TestbedSpec, tmp_path: Path
) -> None:
    """A value on the command line gets the same type as in a file."""
    experiment = load(WITH_VARS, shop, tmp_path, "rate=30", "what=inventory")
    assert experiment.load.rate_rps == 30
    assert toxic(experiment)[0] == "reservations-inventory"
    assert experiment.origin.sets == ("rate=30", "what=inventory")


@pytest.mark.parametrize(
    "place", ["faults[0].toxiproxy.latency_ms", "faults.0.toxiproxy.latency_ms"]
)
def test_a_setting_changes_a_place(place: str, shop: TestbedSpec, tmp_path: Path) -> None:
    """The path is the one that findings print."""
    assert toxic(load(GOOD, shop, tmp_path, f"{place}=5000"))[1] == 5000


def test_a_setting_adds_a_key_that_the_file_leaves_out(shop: TestbedSpec, tmp_path: Path) -> None:
    """Keys with a default can be set; the last of two settings wins."""
    assert load(GOOD, shop, tmp_path, "seed=3", "seed=4").seed == 4


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("rate", "found 'rate', expected name=value"),
        ("ratr=3", "did you mean rate?"),
        ("load.rate=3", "load.rate: found the key rate, expected one of profile, rate_rps"),
        ("phases.x.y=3", "phases.x.y: found x, expected one of warmup_s, baseline_s, fault_s"),
        ("faults[1].id=x", "faults[1].id: found 1, expected one of 0; fix: set a value that"),
        ("load.rate_rps=-1", "load.rate_rps: found -1, expected a number of requests per second"),
    ],
)
def test_a_wrong_setting_is_named_with_how_to_fix_it(
    setting: str, said: str, shop: TestbedSpec, tmp_path: Path
) -> None:
    """The message names the setting instead of file and line."""
    (message,) = findings(WITH_VARS, shop, tmp_path, setting)
    assert message.startswith(f"--set {setting}: ")
    assert said in message


def test_a_variable_that_is_set_wrongly_is_told_where_it_is_used(
    shop: TestbedSpec, tmp_path: Path
) -> None:
    """Only there is the expected type known."""
    (said,) = findings(WITH_VARS, shop, tmp_path, "rate=fast")
    assert said.startswith(":5: load.rate_rps: found 'fast', expected a number")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30", 30),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", "null"),
        ("1.2.3", "1.2.3"),
        ("", ""),
    ],
)
def test_a_plain_value_is_read_as_yaml_reads_it(text: str, value: object) -> None:
    """Numbers and truth values have their types; everything else is text."""
    read = plain_value(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("setting", [f"load.rate_rps={'9' * 400}", f"load.rate_rps={'9' * 5000}"])
def test_a_number_longer_than_anybody_means_stays_text(
    setting: str, shop: TestbedSpec, tmp_path: Path
) -> None:
    """A setting of hundreds of digits is refused like any text in place of a number."""
    (found,) = findings(GOOD, shop, tmp_path, setting)
    assert "load.rate_rps: found '9999" in found
    assert "..., expected a number of requests per second" in found


@pytest.mark.parametrize("step", ["\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_a_place_that_no_list_has_is_a_finding(
    step: str, shop: TestbedSpec, tmp_path: Path
) -> None:
    """A character that Python calls a digit but cannot convert is an unknown name."""
    (found,) = findings(GOOD, shop, tmp_path, f"faults.{step}.start_s=1")
    assert "expected one of 0" in found
