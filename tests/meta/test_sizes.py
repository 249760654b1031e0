"""Functions stay under 40 lines and modules under 300 (house rule 2); each exemption states its reason."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTION_LINES_MAX = 40
MODULE_LINES_MAX = 300
EXEMPT: dict[str, str] = {}
"""Path, or path::function -> why it may be longer."""

SOURCES = sorted(
    path
    for folder in (
        "aguante",
        "services",
        "loadtests",
        "benchmarks",
        "stress",
        "dashboards",
        "offline",
    )
    for path in (ROOT / folder).rglob("*.py")
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and docstring: what has to be held in the head."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_and_its_functions_are_short(path: Path) -> None:
    """A module is read at one sitting, a function at one glance."""
    text = path.read_text(encoding="utf-8")
    if name_of(path) not in EXEMPT:
        assert len(text.splitlines()) <= MODULE_LINES_MAX
    long = [
        f"{name_of(path)}::{node.name}: {body_lines(node)} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and body_lines(node) > FUNCTION_LINES_MAX
        and f"{name_of(path)}::{node.name}" not in EXEMPT
    ]
    assert long == []


def test_every_exemption_is_still_needed_and_has_a_reason() -> None:
    """An exemption that nothing needs is dropped."""
    for exempt, reason in EXEMPT.items():
        assert (ROOT / exempt.split("::")[0]).exists(), exempt
        assert reason


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=name_of)
def test_every_test_states_its_behaviour(path: Path) -> None:
    """House rule 18: a test's name and docstring state one behaviour."""
    silent = [
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_no_two_modules_of_tests_share_a_name() -> None:
    """They are imported by their bare names: two of one name cannot be collected together."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
