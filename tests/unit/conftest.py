"""Fixtures for the pure stages of the runner."""

import pytest
from shop import ROOT, read_shop

from aguante.experiment import Experiment, load_experiment
from aguante.plan.build import build_plan
from aguante.plan.plan import Plan
from aguante.testbed.testbed_spec import TestbedSpec


@pytest.fixture(scope="session")
def shop() -> TestbedSpec:
    """The TestbedSpec of our own system."""
    return read_shop()


@pytest.fixture(scope="session")
def slow(shop: TestbedSpec) -> Experiment:
    """payments-slow with its design times, whatever the file's own are tuned to."""
    path = ROOT / "tests" / "unit" / "payments-slow.yaml"
    return load_experiment(path, shop)


@pytest.fixture(scope="session")
def slow_plan(slow: Experiment, shop: TestbedSpec) -> Plan:
    """Its plan: baseline 2 to 8 s, fault 8 to 20 s, recovery 20 to 30 s."""
    return build_plan(slow, shop, run_id="run-1", seed=7, source="payments-slow.yaml")
