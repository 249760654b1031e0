"""Report what a policy's times amount to: in a service's log when it starts, and for `aguante lint`.

`python -m services.shop.lint FILE...` is the hook that testbed.yaml names. It prints one JSON document with every
finding of every file and exits 0; its caller decides what the findings mean for an exit code.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from services.kit.policy.findings import Invalid
from services.kit.process.settings import Settings
from services.shop.budget import check
from services.shop.budget_model import Severity
from services.shop.policy import Policy, load_policy, read_policy

_LOG = logging.getLogger(__name__)


class LintFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding; `line` counts from 1, 0 where there is none."""

    severity: str
    rule: str
    line: int
    where: str
    message: str
    fix: str


class LintedPolicy(msgspec.Struct, frozen=True):
    """The findings of one file, the worst first."""

    file: str
    findings: list[LintFinding]


class LintReport(msgspec.Struct, frozen=True):
    """What the hook prints."""

    format_version: int
    policies: list[LintedPolicy]


def policy_of(settings: Settings) -> Policy:
    """Load the policy that a service starts with, and log what its own times amount to.

    Raises `Invalid` with every fault of the file.
    """
    policy = load_policy(settings.policy_path)
    log_findings(policy, settings.service)
    return policy


def log_findings(policy: Policy, service: str) -> None:
    """Log the findings about one service's own times: one line each, a warning unless it is only information."""
    for finding in check(policy):
        if finding.service != service:
            continue
        level = logging.INFO if finding.severity is Severity.INFO else logging.WARNING
        fields = {"policy": policy.name, "rule": finding.rule, "where": finding.where}
        _LOG.log(level, "timeout budget: %s", finding.message, extra={"fields": fields})


def lint(paths: Sequence[Path]) -> LintReport:
    """Return the findings of every file; the faults of a file that is no valid policy are errors."""
    return LintReport(1, [LintedPolicy(str(path), list(_findings(path))) for path in paths])


def _findings(path: Path) -> Iterator[LintFinding]:
    try:
        policy, document = read_policy(path)
    except Invalid as invalid:
        for each in invalid.findings:
            yield _fault(each.line, each.where or "the whole document", each.message, each.fix)
        return
    except OSError as error:
        message = f"cannot be read: {error.strerror or type(error).__name__}"
        yield _fault(0, "the whole document", message, "check the path and its permissions")
        return
    for found in check(policy):
        yield LintFinding(
            severity=found.severity,
            rule=found.rule,
            line=document.line(found.where),
            where=found.where,
            message=found.message,
            fix=found.fix,
        )


def _fault(line: int, where: str, message: str, fix: str) -> LintFinding:
    return LintFinding(
        severity=Severity.ERROR, rule="invalid", line=line, where=where, message=message, fix=fix
    )


if __name__ == "__main__":
    report = lint([Path(argument) for argument in sys.argv[1:]])
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
