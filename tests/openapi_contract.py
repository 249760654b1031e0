"""Holds an answer of the gateway against its own description: status documented, headers there, body as described."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

ROOT = Path(__file__).parents[1]
DOCUMENT: dict[str, Any] = msgspec.json.decode(
    (ROOT / "services" / "gateway" / "openapi.json").read_bytes()
)
JSON_TYPES = ("application/json", "application/problem+json")


def resolved(node: Any) -> Any:
    """Follow a ``$ref``; raises KeyError when it leads nowhere."""
    while isinstance(node, Mapping) and "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operation_of(method: str, path: str) -> Mapping[str, Any] | None:
    """Return the operation that answers a request; None when no route of ours does."""
    plain = re.sub(r"^http://[^/]*|[?#].*", "", path)
    for template, item in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), plain):
            operation: Mapping[str, Any] | None = item.get(method.lower())
            return operation
    return None


@cache
def validator(operation_id: str, status: str, content_type: str) -> Any:
    """Return what validates a body of one documented answer; raises KeyError when it is not documented."""
    operation = next(
        o
        for item in DOCUMENT["paths"].values()
        for o in item.values()
        if o["operationId"] == operation_id
    )
    schema = resolved(operation["responses"][status])["content"][content_type]["schema"]
    return _validator({"allOf": [schema], "components": DOCUMENT["components"]})


def _validator(schema: dict[str, Any]) -> Any:
    return jsonschema.Draft202012Validator(schema)


NOWHERE = _validator({"$ref": "#/components/schemas/Problem", "components": DOCUMENT["components"]})


def hold(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise AssertionError or ValidationError when an answer is not as the document says."""
    given = {name.lower(): value for name, value in headers.items()}
    content_type = given["content-type"].partition(";")[0]
    operation = operation_of(method, path)
    if operation is None:
        hold_nowhere(status, given, body)
        return
    documented = operation["responses"]
    assert str(status) in documented, f"{method} {path}: {status} is not documented"
    hold_headers(resolved(documented[str(status)]).get("headers", {}), given)
    check = validator(operation["operationId"], str(status), content_type)
    check.validate(msgspec.json.decode(body) if content_type in JSON_TYPES else body.decode())
    if status in (429, 503):
        assert "retry-after" in given


def hold_nowhere(status: int, given: Mapping[str, str], body: bytes) -> None:
    """Hold the answer of a path or method that no operation has: what the document's description says of it."""
    assert status in (400, 404, 405, 408, 429), status
    assert given["content-type"] == "application/problem+json"
    assert (status == 405) is ("allow" in given)
    if body:  # none answers a HEAD
        NOWHERE.validate(msgspec.json.decode(body))


def hold_headers(described: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Hold each header that is there against its description, and see that the required ones are."""
    for name, reference in described.items():
        header, value = resolved(reference), given.get(name.lower())
        if value is None:
            assert not header.get("required"), f"{name} is missing"
            continue
        schema = resolved(header["schema"])
        _validator(schema).validate(int(value) if schema["type"] == "integer" else value)
