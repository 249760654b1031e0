"""The examples of docs/experiments.md: one expectation of each kind."""

import re

from ruamel.yaml import YAML
from shop import ROOT

from aguante.expectations.expectation import Expectation
from aguante.expectations.registry import Clause

PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
_yaml = YAML(typ="safe", pure=True)

CLAUSES: dict[str, dict[str, dict[str, object]]] = {
    kind: _yaml.load(f"{kind}: {keys}")
    for kind, keys in re.findall(r"^\| `(\w+): (\{.*?\})` \|", PAGE, re.MULTILINE)
}
"""Kind -> its example, as a file would have it."""
EXAMPLES: dict[str, Expectation] = {
    kind: Clause.model_validate(clause).expectation for kind, clause in CLAUSES.items()
}
