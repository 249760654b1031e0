"""The TestbedSpec of our own system, straight from its two files (the real reader has its own tests)."""

from pathlib import Path

from ruamel.yaml import YAML

from aguante.testbed.testbed_spec import TestbedSpec

ROOT = Path(__file__).parents[2]


def read_shop() -> TestbedSpec:
    yaml = YAML(typ="safe", pure=True)
    data = yaml.load(ROOT / "testbed.yaml")
    data["links"] = yaml.load(ROOT / data["links"])["links"]
    data["root"] = ROOT
    data["policies"] = ROOT / data["policies"]
    data["load"]["locustfile"] = ROOT / data["load"]["locustfile"]
    data["settle"]["query"] = ROOT / data["settle"]["query"]
    for query in (*data["invariants"], *data["reports"]):
        query["sql"] = ROOT / query["sql"]
    return TestbedSpec.model_validate(data)
