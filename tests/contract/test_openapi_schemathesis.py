"""schemathesis reads openapi.json, plays thousands of requests made from it and against it, and finds nothing."""

from pathlib import Path

from gateway_process import gateway_process
from schemathesis_run import CALLEES_FAIL, findings


def test_it_finds_nothing_with_callees_that_work(tmp_path: Path) -> None:
    """All checks: valid input is accepted, invalid refused, and each answer is as described."""
    with gateway_process(failing=0) as (port, _):
        assert findings(f"http://127.0.0.1:{port}", tmp_path, examples=10) == ""


def test_it_finds_nothing_with_callees_that_fail(tmp_path: Path) -> None:
    """Whatever a callee answers, or however it breaks: what the client gets is described."""
    with gateway_process(failing=0.4) as (port, _):
        found = findings(f"http://127.0.0.1:{port}", tmp_path, examples=10, without=CALLEES_FAIL)
    assert found == ""
