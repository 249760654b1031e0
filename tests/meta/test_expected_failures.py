"""What the services have at 0 beforehand is what can come: callers and callees agree, and no statement is left out."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

from services.gateway.clients import CALLS as OF_GATEWAY
from services.kit.failures.expected import Failures
from services.reservations.clients import CALLS as OF_RESERVATIONS

ROOT = Path(__file__).parents[2]
CALLEES = {
    "reservations": "services.reservations.app",
    "inventory": "services.inventory.app",
    "payments": "services.payments.app",
}


@pytest.mark.parametrize("call", [*OF_GATEWAY, *OF_RESERVATIONS], ids=lambda c: f"{c[0]} {c[2]}")
def test_a_caller_expects_what_its_callee_answers(
    call: tuple[str, str, str, tuple[str, ...]],
) -> None:
    """One list of failures per route, though no service imports another."""
    link, method, route, answers = call
    callee = CALLEES.get(link.partition("-")[2])
    failures: Failures = import_module(callee).FAILURES if callee else {}
    assert set(answers) == set(failures.get((method, route), ()))


def test_the_gateway_expects_on_each_route_what_its_call_can_come_to() -> None:
    """And its own semaphore."""
    module = import_module("services.gateway.handlers")
    for _, method, route, answers in OF_GATEWAY:
        said = module.FAILURES[method, route]
        assert {"semaphore_full", "disconnected", "deadline", *answers} <= set(said)


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
