"""The headers of policies/: each variant says what it does and where to see it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VARIANTS = sorted(p.stem for p in (ROOT / "policies").glob("*.yaml") if p.stem != "default")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_says_what_it_does_and_where_to_see_it(name: str) -> None:
    """Its header names what is switched, what you will see, what shows it and the pattern's page; the files exist."""
    text = (ROOT / "policies" / f"{name}.yaml").read_text(encoding="utf-8")
    header = text.partition("\nname:")[0]
    assert header.startswith("# Switched ")
    assert "# You will see: " in header
    shown = [word.strip(",") for word in header.partition("# Shown by: ")[2].split()]
    page = header.partition("# The pattern: ")[2].strip()
    assert (ROOT / page).is_file(), page
    named = [word for word in shown if word.startswith(("tests/", "chaos-experiments/"))]
    assert named
    assert all((ROOT / each).is_file() for each in named), named
