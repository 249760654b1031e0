"""The JSON Schemas in ``schemas/`` are current, and real files match them."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML
from shop import ROOT
from synthetic_run import write_run

from aguante.measure.measure_run import measure
from aguante.plan.plan import Plan
from aguante.report.schemas import rendered
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.judge import judge

yaml = YAML(typ="safe", pure=True)


def schema(name: str) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((ROOT / "schemas" / name).read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("name", sorted(rendered()))
def test_the_schemas_in_the_repository_are_current(name: str) -> None:
    """They are generated from the classes; ``make schemas`` writes them."""
    assert (ROOT / "schemas" / name).read_text(encoding="utf-8") == rendered()[name]


@pytest.mark.parametrize("name", sorted(rendered()))
def test_the_schemas_are_valid(name: str) -> None:
    """They conform to the draft that they name."""
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "chaos-experiments").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_experiment_fits_the_schema(path: Path) -> None:
    """The schema accepts what the runner accepts."""
    jsonschema.validate(yaml.load(path), schema("experiment.schema.json"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("latency_ms: 3500", "latency: 3500"),
        ("latency_ms: 3500, ", ""),
        ("rate_rps: 60", "rate_rps: -60"),
        ("fault_s: 12", "fault_s: 0"),
        ("toxic: latency", "toxic: latncy"),
        ("- recovery:", "- recover:"),
        ("- attribution: {min: 0.99}", "- {attribution: {min: 0.99}, recovery: {within_s: 1}}"),
    ],
)
def test_the_schema_finds_common_faults(old: str, new: str) -> None:
    """The schema rejects what the runner rejects by shape."""
    text = (ROOT / "tests" / "unit" / "payments-slow.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.load(text), schema("experiment.schema.json"))
    assert old in text
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.load(text.replace(old, new)), schema("experiment.schema.json"))


def test_a_verdict_fits_its_schema(tmp_path: Path, slow_plan: Plan, shop: TestbedSpec) -> None:
    """A written verdict.json has every key that the schema requires."""
    measures = measure(write_run(tmp_path, slow_plan), slow_plan, shop)
    verdict = json.loads(judge(slow_plan, measures).model_dump_json())
    jsonschema.validate(verdict, schema("verdict.schema.json"))
    del verdict["headline"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(verdict, schema("verdict.schema.json"))
