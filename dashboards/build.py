"""Writes every dashboard as JSON: ``python -m dashboards.build``; with ``--check`` lists those that are out of date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import experiment, links, patterns, services, telemetry

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
BOARDS: Mapping[str, Callable[[], Dashboard]] = {
    "experiment": experiment.build,
    "services": services.build,
    "patterns": patterns.build,
    "links": links.build,
    "telemetry": telemetry.build,
}
"""File name -> its builder."""


def render(name: str) -> str:
    """The JSON of one dashboard, deterministic."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return encoder.encode(BOARDS[name]().build()) + "\n"


def stale(folder: Path = FOLDER) -> list[str]:
    """The files that are out of date, and those that no builder writes any more."""
    wanted = {f"{name}.json": render(name) for name in BOARDS}
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )


def main() -> int:
    """Write the dashboards, or with ``--check`` exit 1 when one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when a dashboard is out of date"
    )
    if parser.parse_args().check:
        names = stale()
        for name in names:
            sys.stderr.write(f"{FOLDER / name} is out of date; run: python -m dashboards.build\n")
        return 1 if names else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(render(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
