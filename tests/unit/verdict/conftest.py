"""Fixtures for the tests of the verdict."""

import pytest
from synthetic_run import write_run

from aguante.measure.measure_run import measure
from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.testbed.testbed_spec import TestbedSpec


@pytest.fixture(scope="session")
def good(
    tmp_path_factory: pytest.TempPathFactory,
    slow_plan: Plan,
    shop: TestbedSpec,
) -> Measures:
    """The measures of a run in which everything went as expected."""
    folder = write_run(tmp_path_factory.mktemp("runs"), slow_plan)
    return measure(folder, slow_plan, shop)
