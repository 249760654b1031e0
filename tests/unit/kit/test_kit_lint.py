import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.shop.lint import lint, log_findings
from services.shop.policy import load_policy

ROOT = Path(__file__).parents[3]
DEFAULT = ROOT / "policies" / "default.yaml"


def test_a_service_logs_the_findings_about_its_own_times(caplog: pytest.LogCaptureFixture) -> None:
    """One line each: a warning, or info for what is intended; the five services together log each finding once."""
    caplog.set_level(logging.INFO)
    policy = load_policy(DEFAULT)
    log_findings(policy, "reservations")
    said = {record.fields["rule"]: record.levelname for record in caplog.records}  # type: ignore[attr-defined]
    assert said == {
        "steps_exceed_deadline": "WARNING",
        "attempts_exceed_deadline": "WARNING",
        "confirmation_has_no_deadline": "INFO",
    }
    caplog.clear()
    log_findings(policy, "notifications")
    assert caplog.records == []


def test_an_error_is_logged_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The service starts all the same: a policy is an experiment, also a bad one."""
    policy = load_policy(DEFAULT)
    assert policy.deadline is not None
    late = replace(policy, deadline=replace(policy.deadline, total_s=8))
    log_findings(late, "gateway")
    assert "client_gives_up_first" in {record.fields["rule"] for record in caplog.records}  # type: ignore[attr-defined]


def test_each_finding_has_the_line_of_what_it_is_about() -> None:
    """The deadline's finding points at the deadline's line."""
    (linted,) = lint([DEFAULT]).policies
    by_rule = {finding.rule: finding for finding in linted.findings}
    lines = DEFAULT.read_text(encoding="utf-8").splitlines()
    assert lines[by_rule["steps_exceed_deadline"].line - 1].startswith("deadline:")
    assert "timeout_s: 5" in lines[by_rule["timeout_never_fires"].line - 1]


def test_a_file_that_is_no_policy_has_its_faults_as_errors(tmp_path: Path) -> None:
    """All of them, with their lines; a file that does not exist is an error, too."""
    broken = tmp_path / "broken.yaml"
    text = DEFAULT.read_text(encoding="utf-8")
    broken.write_text(text.replace("lock: row", "lock: rwo").replace("limit: 64", "limit: -1"))
    faulty, absent = lint([broken, tmp_path / "absent.yaml"]).policies
    assert {(f.severity, f.rule) for f in faulty.findings} == {("error", "invalid")}
    assert {f.where for f in faulty.findings} == {"lock", "semaphore.limit"}
    assert all(f.line > 1 for f in faulty.findings)
    assert "cannot be read" in absent.findings[0].message


def test_the_hook_prints_one_json_document() -> None:
    """`python -m services.shop.lint FILE...` is what testbed.yaml names."""
    command = [sys.executable, "-m", "services.shop.lint", str(DEFAULT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["format_version"] == 1
    assert report["policies"][0]["findings"]
