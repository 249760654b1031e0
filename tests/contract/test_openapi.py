"""openapi.json describes the gateway: routes, bounds, statuses, mechanisms, and examples that are true."""

from typing import Any

import jsonschema
import msgspec
import pytest
from openapi_contract import DOCUMENT, hold, resolved

from services.gateway.app import ROUTES
from services.kit.failures.problem import BODY_BYTES_MAX, STATUS_OF, Mechanism
from services.kit.http.json_body import BODY_S
from services.kit.http.server import COMMON_ROUTES
from services.shop import fields

SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    (method.upper(), path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def references(node: Any) -> set[str]:
    """Return every ``$ref`` below ``node``."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    return set().union(*(references(value) for value in node)) if isinstance(node, list) else set()


def test_it_describes_exactly_the_routes_there_are() -> None:
    """Every route is an operation, and every operation a route."""
    assert set(OPERATIONS) == {(r.method, r.path) for r in (*ROUTES, *COMMON_ROUTES)}


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    """Nothing dangles, nothing is dead."""
    used = references(DOCUMENT)
    for reference in used:
        resolved({"$ref": reference})
    parts = DOCUMENT["components"]
    assert {f"#/components/{kind}/{name}" for kind in parts for name in parts[kind]} == used


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one(name: str) -> None:
    """Each is a valid JSON Schema of the draft that OpenAPI 3.1 names."""
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_bounds_are_those_of_the_code() -> None:
    """Lengths, alphabets and quantities are those that every service checks."""
    assert SCHEMAS["Id"]["maxLength"] == fields.ID_CHARS_MAX
    assert SCHEMAS["Id"]["pattern"].strip("^$") == fields.ID_PATTERN.removeprefix(r"\A")[:-2]
    quantity = SCHEMAS["Order"]["properties"]["quantity"]
    assert (quantity["minimum"], quantity["maximum"]) == (fields.QUANTITY_MIN, fields.QUANTITY_MAX)
    said = OPERATIONS["POST", "/reserve"]["requestBody"]["description"]
    assert said == f"At most {BODY_BYTES_MAX} bytes, within {BODY_S:.0f} s."


def test_mechanisms_are_those_of_the_code() -> None:
    """The closed list is whole, and each status names just the mechanisms that lead to it."""
    assert SCHEMAS["Mechanism"]["enum"] == [mechanism.value for mechanism in Mechanism]
    for status, response in DOCUMENT["components"]["responses"].items():
        body = response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]
        expected = {m.value for m in Mechanism if STATUS_OF[m] == int(status)}
        expected |= {"502": {"internal_error"}, "408": {"bad_request"}}.get(status, set())
        assert body["status"]["const"] == int(status)
        assert set(body["mechanism"]["enum"]) == expected, status


def test_every_status_of_the_contract_is_documented() -> None:
    """A reservation can end in each of them, and in 408; 405 belongs to no operation."""
    documented = {int(status) for status in OPERATIONS["POST", "/reserve"]["responses"]}
    assert documented == {200, 408, *STATUS_OF.values()} - {405}


def examples() -> list[tuple[str, str, str, Any]]:
    return [
        (method, path, status, example["value"])
        for (method, path), operation in OPERATIONS.items()
        for status, reference in operation["responses"].items()
        for content in resolved(reference)["content"].values()
        for example in content.get("examples", {}).values()
    ]


@pytest.mark.parametrize(("method", "path", "status", "value"), examples())
def test_every_example_is_true(method: str, path: str, status: str, value: Any) -> None:
    """An example answer would pass as a real one."""
    kind = "application/json" if status == "200" else "application/problem+json"
    headers = {
        "Content-Type": kind,
        "X-Trace-Id": "0" * 32,
        "Retry-After": "1",
        "Idempotency-Key": "k",
    }
    body = msgspec.json.encode(value)
    hold(method, path.replace("{", "").replace("}", ""), int(status), headers, body)


def test_the_example_order_is_one() -> None:
    """What a reader copies is accepted."""
    content = OPERATIONS["POST", "/reserve"]["requestBody"]["content"]["application/json"]
    schema = {**resolved(content["schema"]), "components": DOCUMENT["components"]}
    for example in content["examples"].values():
        jsonschema.Draft202012Validator(schema).validate(example["value"])


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (418, "{}", "not documented"),
        (200, '{"event_id": "e", "capacity": 1}', "'available' is a required property"),
        (200, '{"event_id": "e", "capacity": 1, "available": 1, "more": 1}', "Additional"),
        (200, '{"event_id": "e", "capacity": "1", "available": 1}', "is not of type 'integer'"),
    ],
)
def test_an_answer_that_is_not_as_described_is_found(status: int, body: str, why: str) -> None:
    """The check itself can fail."""
    headers = {"Content-Type": "application/json", "X-Trace-Id": "0" * 32}
    with pytest.raises((AssertionError, jsonschema.ValidationError), match=why):
        hold("GET", "/events/e", status, headers, body.encode())
