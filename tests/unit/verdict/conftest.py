"""What the tests of the verdict share."""

import pytest
from synthetic_run import write_run

from aguante.measure.model import Measures
from aguante.measure.run import measure
from aguante.plan import Plan
from aguante.spec import Experiment
from aguante.testbed import TestbedSpec


@pytest.fixture(scope="session")
def good(
    tmp_path_factory: pytest.TempPathFactory,
    slow_plan: Plan,
    slow: Experiment,
    shop: TestbedSpec,
) -> Measures:
    """The measures of a run in which everything went as expected."""
    folder = write_run(tmp_path_factory.mktemp("runs"), slow_plan)
    return measure(folder, slow_plan, slow, shop)
