"""docs/api.md is true: each command of it runs against the real system and answers what stands below it."""

import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec
from services.kit.failures.problem import STATUS_OF, Mechanism

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^```sh\n(.*?)^```(?:\n\n```json\n(.*?)^```)?", PAGE, re.M | re.S)
UNKNOWN = "…"
LIMIT_S = 20.0


@pytest.fixture(scope="module")
async def documented(own_parent: Path, shop_spec: TestbedSpec) -> AsyncIterator[Testbed]:
    """One testbed for this module."""
    async with NativeRuntime(own_parent).running(shop_spec, "default") as testbed:
        yield testbed


def as_written(said: Any, written: Any) -> Any:
    """Return what was said with dots where the page has dots, since ids differ from run to run."""
    if isinstance(said, dict) and isinstance(written, dict):
        return {key: as_written(value, written.get(key)) for key, value in said.items()}
    return UNKNOWN if written == UNKNOWN and isinstance(said, str) and said else said


def test_every_command_answers_what_stands_below_it(documented: Testbed) -> None:
    """In the order of the page, as a reader would type them."""
    inventory = next(each.url for each in documented.services if each.name == "inventory")
    environ = {**os.environ, "GATEWAY": documented.gateway, "INVENTORY": inventory}
    assert len(STEPS) == 6
    for command, expected in STEPS:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=True,
        )  # fmt: skip
        said = json.loads(done.stdout)
        environ.setdefault("RESERVATION_ID", said.get("reservation_id", ""))
        if not environ["RESERVATION_ID"]:
            del environ["RESERVATION_ID"]
        if expected:
            written = json.loads(expected)
            assert as_written(said, written) == written, command


def test_the_table_of_statuses_is_that_of_the_code() -> None:
    """Each status names just the mechanisms that lead to it."""
    rows = re.findall(r"^\| (\d{3}) \| .* \| (`.*`) \|$", PAGE, re.M)
    written = {int(status): set(re.findall(r"`(\w+)`", names)) for status, names in rows}
    expected: dict[int, set[str]] = {408: {"bad_request"}}
    for mechanism in Mechanism:
        expected.setdefault(STATUS_OF[mechanism], set()).add(mechanism.value)
    expected[502].add("internal_error")
    assert written == expected
