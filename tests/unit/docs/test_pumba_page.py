"""docs/pumba.md says what the driver's own table says, and its example is a valid file."""

import re
from pathlib import Path

import pytest
from shop import ROOT

from aguante.experiment import load_experiment
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.testbed.testbed_spec import PumbaSpec, TestbedSpec

PAGE = (ROOT / "docs" / "pumba.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z -]+)` \| (.*?) \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_stands_there_with_its_options(command: str) -> None:
    """Those of netem itself are told once, below the table."""
    own = [each for each in COMMANDS[command].options if each not in COMMANDS[command].shared]
    told = set(re.findall(r"`(\w+)`", ROWS[command]))
    if command == "iptables loss":
        told -= {each.key for each in COMMANDS[command].shared}
    assert told == {each.key for each in own}
    for each in COMMANDS[command].options:
        assert f"`{each.key}`" in PAGE


def test_no_other_command_stands_there() -> None:
    """The table is complete, and no longer."""
    assert list(ROWS)[: len(COMMANDS)] == list(COMMANDS)


def test_every_place_and_image_stands_there_with_its_variable() -> None:
    """And with its default."""
    for name, field in PumbaSpec.model_fields.items():
        (row,) = (line for line in PAGE.splitlines() if f" `{name}` |" in line)
        (variable,) = re.findall(r"`(AGUANTE_\w+)`", row)
        assert getattr(PumbaSpec().with_overrides_from({variable: "other"}), name) == "other"
        assert f"`{field.default}`" in row or name == "iptables_image"


def test_the_example_is_valid(shop: TestbedSpec, tmp_path: Path) -> None:
    """As it stands on the page."""
    example = PAGE.partition("```yaml\n")[2].partition("```")[0]
    good = (ROOT / "chaos-experiments" / "payments-slow.yaml").read_text(encoding="utf-8")
    body = re.sub(r"faults:\n(  .*\n)+", f"{example}replicas: {{inventory: 2}}\n", good)
    path = tmp_path / "page.yaml"
    path.write_text(re.sub(r"\bfault_s: 12\b", "fault_s: 30", body))
    assert len(load_experiment(path, shop).faults) == 3
