"""Faults that a runtime cannot apply are refused when the file is read, with the reason and an alternative."""

from pathlib import Path

import pytest
from broken_files import GOOD

from aguante.experiment import InvalidExperiment, load_experiment
from aguante.testbed.testbed_spec import TestbedSpec

TOXIC = "toxiproxy: {link: reservations-payments, toxic: latency, latency_ms: 3500, jitter_ms: 200}"


def written(folder: Path, command: str) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(GOOD.replace(TOXIC, f"pumba: {{service: payments, command: {command}}}"))
    return path


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ("kill", "or write process: {service, action: kill}, which every runtime can do"),
        ("rm", "use --runtime compose"),
    ],
)
def test_pumba_is_refused_natively(
    command: str, instead: str, shop: TestbedSpec, tmp_path: Path
) -> None:
    """With the line, the reason, and another way to do the same if there is one."""
    path = written(tmp_path, command)
    with pytest.raises(InvalidExperiment) as raised:
        load_experiment(path, shop, runtime="native")
    (finding,) = raised.value.findings
    assert (finding.line, finding.where) == (9, "faults[0].pumba")
    assert finding.found == f"pumba: {command}"
    assert "the native runtime has no containers" in finding.expected
    assert finding.fix.endswith(instead)


@pytest.mark.parametrize("runtime", ["compose", "attach", ""])
def test_elsewhere_it_is_not(runtime: str, shop: TestbedSpec, tmp_path: Path) -> None:
    """The file alone is valid; whether an attached testbed has containers shows when it is attached."""
    experiment = load_experiment(written(tmp_path, "rm"), shop, runtime=runtime)
    assert experiment.faults[0].pumba is not None
