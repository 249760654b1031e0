"""The real runs that end-to-end tests share."""

from collections.abc import Iterator

import pytest
from real_runs import Farm, needed_by
from undo_harness import named_by


@pytest.fixture(scope="session", autouse=True)
def farm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Farm]:
    """Every real run that the collected tests read; afterwards no process of theirs may be left."""
    needed = needed_by(request.session.items)
    folder = tmp_path_factory.mktemp("real-runs")
    if needed:
        request.getfixturevalue("toxiproxy_binary")  # without it no run can begin
    farm = Farm(folder, needed)
    yield farm
    farm.close()
    assert named_by(str(folder)) == []
