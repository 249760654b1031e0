"""docs/api.md is true: each command of it runs against the real system and answers what stands below it."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from aguante.runtimes.native.native_runtime import NativeRuntime
from services.kit.failures.problem import STATUS_OF, Mechanism

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^```sh\n(.*?)^```(?:\n\n```json\n(.*?)^```)?", PAGE, re.M | re.S)
UNKNOWN = "…"
LIMIT_S = 20.0


def as_written(said: Any, written: Any) -> Any:
    """Return what was said with dots where the page has dots, since ids differ from run to run."""
    if isinstance(said, dict) and isinstance(written, dict):
        return {key: as_written(value, written.get(key)) for key, value in said.items()}
    return UNKNOWN if written == UNKNOWN and isinstance(said, str) and said else said


def test_every_command_answers_what_stands_below_it(runtime: NativeRuntime) -> None:
    """In the order of the page, as a reader would type them."""
    testbed = runtime.testbed
    inventory = next(each.url for each in testbed.services if each.name == "inventory")
    environ = {**os.environ, "GATEWAY": testbed.gateway, "INVENTORY": inventory}
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
