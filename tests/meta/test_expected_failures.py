"""What the services have at 0 beforehand is what can come: routes and calls are real, and no statement is left out."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

from services.gateway.clients import CALLS as OF_GATEWAY
from services.reservations.clients import CALLS as OF_RESERVATIONS
from services.shop.expected import EXPECTED

ROOT = Path(__file__).parents[2]
CALLS = [
    (link, call)
    for calls in (OF_GATEWAY, OF_RESERVATIONS)
    for link, routes in calls.items()
    for call in routes
]


def routes_of(service: str) -> set[tuple[str, str]]:
    return {(route.method, route.path) for route in import_module(f"services.{service}.app").ROUTES}


@pytest.mark.parametrize("service", EXPECTED)
def test_failures_are_expected_on_routes_that_exist(service: str) -> None:
    """Whatever is listed for a service is a route of it."""
    assert set(EXPECTED[service]) <= routes_of(service)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1][1]}")
def test_a_caller_calls_routes_that_exist(call: tuple[str, tuple[str, str]]) -> None:
    """So the failures that it expects are those that its callee lists for the route."""
    link, route = call
    assert route in routes_of(link.partition("-")[2])


@pytest.mark.parametrize("service", ["gateway", "reservations"])
def test_every_call_in_the_clients_code_is_listed(service: str) -> None:
    """A call without an entry in CALLS would have no series before it fails."""
    path = ROOT / "services" / service / "clients.py"
    made = {
        (str(node.args[0].value), str(node.args[1].value))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Request"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[1], ast.Constant)
    }
    calls = {"gateway": OF_GATEWAY, "reservations": OF_RESERVATIONS}[service]
    assert made == {route for routes in calls.values() for route in routes}


def test_the_gateway_expects_on_each_route_what_its_call_can_come_to() -> None:
    """And its own semaphore."""
    for link, route in ((link, call) for link, calls in OF_GATEWAY.items() for call in calls):
        answers = EXPECTED[link.partition("-")[2]][route]
        expected = EXPECTED["gateway"][route]
        assert {"semaphore_full", "disconnected", "deadline", *answers} <= set(expected)
        assert len(expected) == len(set(expected))


@pytest.mark.parametrize("service", ["reservations", "inventory", "payments"])
def test_a_repository_lists_its_statements(service: str) -> None:
    """Every summary that is written there; and what a transaction adds, where there is one."""
    path = ROOT / "services" / service / "repository.py"
    found = {
        str(node.args[0].value)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("fetchrow", "fetch", "write")
        and isinstance(node.args[0], ast.Constant)
    }
    listed = import_module(f"services.{service}.repository").STATEMENTS
    assert set(listed) - {"BEGIN", "COMMIT", "ROLLBACK"} == found
    assert len(listed) == len(set(listed))
