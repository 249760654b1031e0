"""JSON Schemas of the public formats: experiment and testbed files for editors, ``verdict.json`` for tools.

``aguante schema`` prints one, ``python -m aguante.report.schemas`` writes all; a test reports outdated ones.
"""

import ast
import inspect
import json
import sys
from functools import cache
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, JsonValue

from aguante.core.values import Value
from aguante.experiment.experiment import Experiment
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.verdict import Verdict

Schema = dict[str, JsonValue]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
NAMES = ("experiment", "verdict", "testbed")


def verdict_schema() -> Schema:
    """The schema of ``verdict.json``."""
    schema = Verdict.model_json_schema(mode="serialization")
    _describe(schema, Verdict)
    return {"$schema": DRAFT, **schema}


def experiment_schema() -> Schema:
    """The schema of an experiment file: toxic attributes are beside the link, and null is not allowed."""
    schema = Experiment.model_json_schema()
    _describe(schema, Experiment)
    definitions = _mapping(schema["$defs"])
    _mapping(definitions["Clause"]).update({"minProperties": 1, "maxProperties": 1})
    _without_nulls(schema)
    _or_variable(schema)
    definitions["Variable"] = {"type": "string", "pattern": r"\$\{[a-z][a-z0-9_]*\}"}
    return {"$schema": DRAFT, **schema}


def testbed_schema() -> Schema:
    """The schema of ``testbed.yaml``: ``links`` names a file, and the fields that the loader adds are left out."""
    schema = TestbedSpec.model_json_schema()
    _describe(schema, TestbedSpec)
    properties = _mapping(schema["properties"])
    del properties["root"], properties["given"]
    properties["links"] = {"type": "string", "description": "The file that defines the links."}
    required = schema["required"]
    if isinstance(required, list):
        required.remove("root")
    _without_nulls(schema)
    return {"$schema": DRAFT, **schema}


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


def _describe(schema: Schema, root: type[BaseModel]) -> None:
    """Use the docstrings of fields as descriptions."""
    definitions = {root.__name__: schema, **_mapping(schema.get("$defs", {}))}
    for model in _models(root):
        properties = _mapping(_mapping(definitions[model.__name__]).get("properties", {}))
        for owner in reversed(model.__mro__):
            for field, text in _field_docstrings(owner).items():
                if field in properties:
                    _mapping(properties[field])["description"] = text


def _models(root: object) -> set[type[BaseModel]]:
    """A model and the models of its fields."""
    if not (isinstance(root, type) and issubclass(root, BaseModel)):
        return set().union(*map(_models, get_args(root)))
    fields = (each.annotation for each in root.model_fields.values())
    return {root}.union(*map(_models, fields))


@cache
def _field_docstrings(owner: type) -> dict[str, str]:
    """Field -> its docstring, of the fields that the class itself defines."""
    if not issubclass(owner, Value):
        return {}
    try:
        (node,) = ast.parse(inspect.getsource(owner)).body
    except OSError:  # it was made by create_model
        return {}
    assert isinstance(node, ast.ClassDef)  # noqa: S101 - a class has the source of one
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
