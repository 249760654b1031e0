"""JSON Schemas of the public formats: experiment and testbed files, for editors, and ``verdict.json``, for tools.

``aguante schema`` prints one, ``python -m aguante.report.schemas`` writes all; a test says when one is out of date.
"""

import ast
import inspect
import json
import sys
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, JsonValue

from aguante.expectations import clauses as expectations
from aguante.expectations import statuses
from aguante.experiment import experiment
from aguante.testbed import testbed_spec as testbed
from aguante.verdict import verdict as verdict_model

Schema = dict[str, JsonValue]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
NAMES = ("experiment", "verdict", "testbed")


def verdict_schema() -> Schema:
    """Of ``verdict.json``, as it is written."""
    schema = verdict_model.Verdict.model_json_schema(mode="serialization")
    _describe(schema, verdict_model.Verdict)
    return {"$schema": DRAFT, **schema}


def experiment_schema() -> Schema:
    """Of an experiment file, as it is typed: toxic attributes beside the link, absent means absent."""
    schema = experiment.Experiment.model_json_schema()
    _describe(schema, experiment.Experiment)
    definitions = _mapping(schema["$defs"])
    _mapping(definitions["Clause"]).update({"minProperties": 1, "maxProperties": 1})
    one: list[JsonValue] = [{"type": "integer"}, {"enum": list(statuses.STATUS_CLASSES)}]
    some: list[JsonValue] = [*one, {"type": "array", "items": {"anyOf": one}, "minItems": 1}]
    _mapping(_mapping(definitions["Rate"])["properties"])["status"] = {"anyOf": some}
    _percentiles(_mapping(definitions["Latency"]))
    _without_nulls(schema)
    _or_variable(schema)
    definitions["Variable"] = {"type": "string", "pattern": r"\$\{[a-z][a-z0-9_]*\}"}
    return {"$schema": DRAFT, **schema}


def testbed_schema() -> Schema:
    """Of ``testbed.yaml``, as it is typed: ``links`` names a file, and it does not say where it is."""
    schema = testbed.TestbedSpec.model_json_schema()
    _describe(schema, testbed.TestbedSpec)
    properties = _mapping(schema["properties"])
    del properties["root"], properties["given"]
    properties["links"] = {"type": "string", "description": "The file that owns the links."}
    required = schema["required"]
    if isinstance(required, list):
        required.remove("root")
    _without_nulls(schema)
    return {"$schema": DRAFT, **schema}


def _percentiles(section: Schema) -> None:
    """Any percentile beside the phase; the usual ones by name, for completion."""
    properties = _mapping(section["properties"])
    del properties["bounds"]
    bound: Schema = {"type": "number", "exclusiveMinimum": 0, "description": "Milliseconds."}
    properties |= {name: dict(bound) for name in expectations.USUAL_PERCENTILES}
    section["patternProperties"] = {"^p[0-9]{1,2}(_[0-9]{1,2})?_ms_max$": bound}


def _or_variable(schema: JsonValue) -> None:
    """Wherever a number belongs, ``${name}`` may stand for it."""
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


def _without_nulls(schema: JsonValue) -> None:
    """In a file an absent key is absent: ``null`` is no choice, and no default is shown for it."""
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


def _describe(schema: Schema, model: type[BaseModel]) -> None:
    """Field docstrings as descriptions, of ``model`` and of every model in it."""
    own = {str(schema["title"]): schema, **_mapping(schema.get("$defs", {}))}
    for each in _models(model, set()):
        properties = _mapping(_mapping(own.get(each.__name__, {})).get("properties", {}))
        for field, text in _docstrings(each).items():
            if field in properties:
                _mapping(properties[field])["description"] = text


def _models(annotation: object, seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """Every model that a type consists of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in seen:
            seen.add(annotation)
            for field in annotation.model_fields.values():
                _models(field.annotation, seen)
        return seen
    for each in get_args(annotation):
        _models(each, seen)
    return seen


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Field -> its docstring; a base class's where the class has none of its own."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        (node,) = ast.parse(inspect.getsource(each)).body
        found |= _field_docstrings(node) if isinstance(node, ast.ClassDef) else {}
    return found


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
