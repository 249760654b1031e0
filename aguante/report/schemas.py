"""JSON Schemas of the public formats: experiment and testbed files for editors, ``verdict.json`` for tools.

``aguante schema`` prints one, ``python -m aguante.report.schemas`` writes all; a test reports outdated ones.
"""

import ast
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType

from pydantic import JsonValue

from aguante.expectations import clauses as expectations
from aguante.expectations import statuses
from aguante.experiment import experiment
from aguante.faults.process_actions import ACTIONS
from aguante.faults.toxics import TOXICS, ToxicType
from aguante.measure import measures as measure_model
from aguante.report.schemas_pumba import pumba_section
from aguante.testbed import testbed_spec as testbed
from aguante.verdict import verdict as verdict_model

Schema = dict[str, JsonValue]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
NAMES = ("experiment", "verdict", "testbed")


def verdict_schema() -> Schema:
    """The schema of ``verdict.json``."""
    schema = verdict_model.Verdict.model_json_schema(mode="serialization")
    _describe(schema, verdict_model, measure_model)
    return {"$schema": DRAFT, **schema}


def experiment_schema() -> Schema:
    """The schema of an experiment file: toxic attributes are beside the link, and null is not allowed."""
    schema = experiment.Experiment.model_json_schema()
    _describe(schema, experiment, expectations)
    definitions = _mapping(schema["$defs"])
    _toxics(_mapping(definitions["ToxiproxySection"]))
    pumba = _mapping(definitions["PumbaSection"])
    pumba["allOf"] = pumba_section(_mapping(pumba["properties"]))
    del definitions["JsonValue"]
    _mapping(definitions["Clause"]).update({"minProperties": 1, "maxProperties": 1})
    action: Schema = {"enum": list(ACTIONS), "title": "Action"}
    _mapping(_mapping(definitions["ProcessSection"])["properties"])["action"] = action
    one: list[JsonValue] = [{"type": "integer"}, {"enum": list(statuses.STATUS_CLASSES)}]
    some: list[JsonValue] = [*one, {"type": "array", "items": {"anyOf": one}, "minItems": 1}]
    _mapping(_mapping(definitions["Rate"])["properties"])["status"] = {"anyOf": some}
    _percentiles(_mapping(definitions["Latency"]))
    _without_nulls(schema)
    _or_variable(schema)
    definitions["Variable"] = {"type": "string", "pattern": r"\$\{[a-z][a-z0-9_]*\}"}
    return {"$schema": DRAFT, **schema}


def testbed_schema() -> Schema:
    """The schema of ``testbed.yaml``: ``links`` names a file, and the fields that the loader adds are left out."""
    schema = testbed.TestbedSpec.model_json_schema()
    _describe(schema, testbed)
    properties = _mapping(schema["properties"])
    del properties["root"], properties["given"]
    properties["links"] = {"type": "string", "description": "The file that defines the links."}
    required = schema["required"]
    if isinstance(required, list):
        required.remove("root")
    _without_nulls(schema)
    return {"$schema": DRAFT, **schema}


def _percentiles(section: Schema) -> None:
    """Allow any percentile beside the phase; the usual ones by name, for completion."""
    properties = _mapping(section["properties"])
    del properties["bounds"]
    bound: Schema = {"type": "number", "exclusiveMinimum": 0, "description": "Milliseconds."}
    properties |= {name: dict(bound) for name in expectations.USUAL_PERCENTILES}
    section["patternProperties"] = {"^p[0-9]{1,2}(_[0-9]{1,2})?_ms_max$": bound}


def _or_variable(schema: JsonValue) -> None:
    """Allow ``${name}`` in place of every number."""
    if isinstance(schema, list):
        for item in schema:
            _or_variable(item)
    if not isinstance(schema, dict):
        return
    for value in schema.values():
        _or_variable(value)
    if schema.get("type") in ("number", "integer"):
        number = dict(schema)
        said: Schema = {key: number.pop(key) for key in ("title", "description") if key in number}
        schema.clear()
        schema.update(said)
        schema["anyOf"] = [number, {"$ref": "#/$defs/Variable"}]


def _mapping(value: JsonValue) -> Schema:
    if not isinstance(value, dict):
        message = f"a schema where a mapping was expected: {value!r}"
        raise TypeError(message)
    return value


def _toxics(section: Schema) -> None:
    """The attributes of each toxic with their bounds, from the table that the driver uses."""
    properties = _mapping(section["properties"])
    del properties["attributes"]
    properties["toxic"] = {"enum": list(TOXICS), "title": "Toxic"}
    for toxic in TOXICS.values():
        for attribute in toxic.attributes:
            properties.setdefault(attribute.key, {"type": "integer"})
    section["allOf"] = [_when(toxic) for toxic in TOXICS.values()]


def _when(toxic: ToxicType) -> JsonValue:
    wanted: JsonValue = [each.key for each in toxic.attributes if each.default is None]
    bounds: Schema = {
        each.key: {
            "minimum": each.minimum,
            "maximum": each.maximum,
            "description": each.meaning,
        }
        for each in toxic.attributes
    }
    return {
        "if": {"properties": {"toxic": {"const": toxic.name}}, "required": ["toxic"]},
        "then": {"required": wanted, "properties": bounds, "description": toxic.meaning},
    }


def _without_nulls(schema: JsonValue) -> None:
    """Remove ``null`` and its default: optional keys of a file are omitted instead."""
    if isinstance(schema, list):
        for item in schema:
            _without_nulls(item)
    if not isinstance(schema, dict):
        return
    choices = schema.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        choices.remove({"type": "null"})
        schema.pop("default", None)
        if len(choices) == 1:
            del schema["anyOf"]
            schema.update(_mapping(choices[0]))
    for value in list(schema.values()):
        _without_nulls(value)


def _describe(schema: Schema, *modules: ModuleType) -> None:
    """Use the docstrings of fields as descriptions."""
    said = {name: fields for module in modules for name, fields in _docstrings(module).items()}
    own = {str(schema["title"]): schema, **_mapping(schema.get("$defs", {}))}
    for name, definition in own.items():
        properties = _mapping(_mapping(definition).get("properties", {}))
        for field, text in said.get(name, {}).items():
            if field in properties:
                _mapping(properties[field])["description"] = text


def _docstrings(module: ModuleType) -> dict[str, dict[str, str]]:
    classes = [n for n in ast.parse(inspect.getsource(module)).body if isinstance(n, ast.ClassDef)]
    return {each.name: _field_docstrings(each) for each in classes}


def _field_docstrings(node: ast.ClassDef) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        named = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        said = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if named and said:
            found[field.target.id] = inspect.cleandoc(str(text.value.value))  # type: ignore[attr-defined]
    return found


def rendered() -> dict[str, str]:
    """File name -> content of every schema."""
    schemas = (experiment_schema(), verdict_schema(), testbed_schema())
    texts = (json.dumps(schema, indent=2) + "\n" for schema in schemas)
    files = (f"{name}.schema.json" for name in NAMES)
    return dict(zip(files, texts, strict=True))


def main(folder: Path) -> None:
    """Write every schema below ``folder``."""
    for name, text in rendered().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "schemas"))
