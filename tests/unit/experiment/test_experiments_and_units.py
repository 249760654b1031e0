"""The experiments that come with the project, and the fixes for units."""

from pathlib import Path

import pytest
from shop import ROOT

from aguante.core.units import meant_key, meant_number, unit_of
from aguante.experiment import InvalidExperiment, load_experiment
from aguante.testbed.testbed_spec import TestbedSpec

EXPERIMENTS = sorted((ROOT / "chaos-experiments").glob("*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_of_the_project_is_valid(path: Path, shop: TestbedSpec) -> None:
    """It passes validation and is named like its file."""
    assert load_experiment(path, shop).name == path.stem


CONTAINED = sorted((ROOT / "chaos-experiments" / "containers").glob("*.yaml"))


@pytest.mark.parametrize("path", CONTAINED, ids=lambda path: path.stem)
def test_an_experiment_that_needs_containers_is_valid_there_alone(
    path: Path, shop: TestbedSpec
) -> None:
    """It is in a folder of its own, so that a suite of the others can run natively."""
    assert load_experiment(path, shop, runtime="compose").name == path.stem
    with pytest.raises(InvalidExperiment, match="the native runtime has no containers"):
        load_experiment(path, shop, runtime="native")


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_what_lies_beside_needs_no_containers(path: Path, shop: TestbedSpec) -> None:
    """`aguante run 'chaos-experiments/*.yaml'` works with plain processes."""
    assert load_experiment(path, shop, runtime="native").name == path.stem


def test_without_the_breaker_the_same_is_expected(shop: TestbedSpec) -> None:
    """The variant differs by its policy alone, so that the difference is what the breaker is worth."""
    folder = ROOT / "chaos-experiments"
    one = load_experiment(folder / "payments-slow.yaml", shop)
    other = load_experiment(folder / "payments-slow-no-breaker.yaml", shop)
    same = {"name", "title", "learn", "policy", "tags", "expected_verdict"}
    assert one.model_dump(exclude=same) == other.model_dump(exclude=same)
    assert (one.policy, other.policy) == ("default", "no-breaker")
    assert (one.expected_verdict, other.expected_verdict) == ("held", "deviated")


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("warmup_s", "s"),
        ("p95_ms_max", "ms"),
        ("rate_rps", "rps"),
        ("rate_kb_per_s", "kb_per_s"),
        ("bytes", "bytes"),
        ("phases", ""),
        ("min", ""),
    ],
)
def test_the_unit_ends_the_name(key: str, unit: str) -> None:
    """The longest unit that ends a key's name is its unit, bounds left aside."""
    assert unit_of(key) == unit


@pytest.mark.parametrize(
    ("key", "text", "hint"),
    [
        ("latency_ms", "3.5s", "write 3500: the unit is in the key's name"),
        ("fault_s", "500 ms", "write 0.5: the unit is in the key's name"),
        ("fault_s", "2min", "write 120: the unit is in the key's name"),
        ("min", "97%", "write 0.97: shares go from 0 to 1"),
        ("rate_rps", "60", "write 60, without quotes"),
        ("rate_rps", "fast", "write a plain number, without quotes"),
    ],
)
def test_a_quantity_is_converted_to_the_keys_unit(key: str, text: str, hint: str) -> None:
    """The fix can be typed as it is."""
    assert meant_number(key, text) == hint


def test_a_key_with_another_unit_is_recognised() -> None:
    """``latency_s`` and ``latency`` both mean ``latency_ms``."""
    said = "write latency_ms: a key ends in its unit (milliseconds)"
    for key in ("latency_s", "latency"):
        assert meant_key(key, ["link", "latency_ms"]) == ("latency_ms", said)
