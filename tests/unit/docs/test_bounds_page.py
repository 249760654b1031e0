"""docs/bounds.md cannot go stale: each number is that of the code, and each test that it names exists."""

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "bounds.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| what |"))
]
SOURCES = (
    "services/kit",
    "services/shop",
    *(
        f"services/{n}"
        for n in ("gateway", "reservations", "inventory", "payments", "notifications")
    ),
)


@cache
def default_policy() -> Any:
    return YAML(typ="safe").load((ROOT / "policies" / "default.yaml").read_text(encoding="utf-8"))


def value_at(where: str) -> float:
    """Return the number that ``where`` names: in the default policy, or as a constant (or a default) of a module."""
    if where.startswith("policies/default.yaml "):
        found = default_policy()
        for key in where.split(" ")[1].split("."):
            found = found[key]
        return float(found)
    parts = where.split(".")
    depth = next(i for i, part in enumerate(parts) if not part.islower())
    found = importlib.import_module(".".join(parts[:depth]))
    for name in parts[depth:]:
        found = found() if isinstance(found, type) else found
        found = getattr(found, name)
    return float(found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0])[:40])
def test_a_bound_is_that_of_the_code(row: list[str]) -> None:
    """The number that the page begins its limit with is the one in force."""
    _, limit, where, beyond, _ = row
    stated = re.match(r"[\d.]+", limit)
    assert stated is not None, limit
    assert float(stated.group()) == value_at(where.strip("`"))
    assert beyond


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/\S+?::\w+)`", PAGE))))
def test_a_test_that_is_named_exists(named: str) -> None:
    """Whoever doubts a row can run its proof."""
    path, _, name = named.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {name}\(", text, re.M), named


def test_every_row_names_its_test() -> None:
    """A bound without a test is a wish."""
    assert ROWS
    assert all(re.fullmatch(r"`tests/\S+::\w+`", row[4]) for row in ROWS)


def test_every_limit_of_the_code_is_on_the_page() -> None:
    """A constant that is called a maximum is a bound, and belongs here."""
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in SOURCES
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in re.findall(r"^([A-Z_]+_MAX) = ", path.read_text(encoding="utf-8"), re.M)
        if f".{name}`" not in PAGE and name not in ELSEWHERE
    ]
    assert missing == []


ELSEWHERE = {
    "BEGIN_TRIES_MAX": "how often one statement is tried anew, no bound on what is kept",
    "BATCH_SPANS_MAX": "how spans are exported, no bound on what is kept",
}
