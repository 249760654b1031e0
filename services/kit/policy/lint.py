"""Tell what a policy's times amount to: in a service's log when it starts, and for ``aguante lint``.

``python -m services.kit.policy.lint FILE...`` is the hook that testbed.yaml names: it prints one JSON document with
every finding of every file and exits 0; what the findings mean for its own exit code, its caller decides.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from services.kit.policy.budget import check
from services.kit.policy.budget_model import Severity
from services.kit.policy.findings import Invalid
from services.kit.policy.loading import line_of, load_policy
from services.kit.policy.sections import Policy

_LOG = logging.getLogger(__name__)


class LintFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding; ``line`` counts from 1, 0 where there is none."""

    severity: str
    rule: str
    line: int
    where: str
    message: str
    mend: str


class LintedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of one file, the worst first."""

    file: str
    findings: list[LintFinding]


class LintReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the hook prints."""

    format_version: int
    policies: list[LintedPolicy]


def log_findings(policy: Policy, service: str) -> None:
    """Log the findings about one service's own times: one line each, a warning unless it is only good to know."""
    for finding in check(policy):
        if finding.service != service:
            continue
        level = logging.INFO if finding.severity is Severity.INFO else logging.WARNING
        told = {"policy": policy.name, "rule": finding.rule, "where": finding.where}
        _LOG.log(level, "timeout budget: %s", finding.message, extra={"fields": told})


def lint(paths: Sequence[Path]) -> LintReport:
    """Return the findings of every file; a file that is no valid policy has its faults as errors."""
    linted = [LintedPolicy(file=str(path), findings=list(_findings(path))) for path in paths]
    return LintReport(format_version=1, policies=linted)


def _findings(path: Path) -> Iterator[LintFinding]:
    try:
        policy = load_policy(path)
    except Invalid as invalid:
        for fault in invalid.findings:
            yield _fault(fault.path, fault.message, fault.mend, fault.place)
        return
    except OSError as error:
        why = error.strerror or type(error).__name__
        yield _fault("", f"cannot be read: {why}", "check the path and its permissions", "")
        return
    for found in check(policy):
        yield LintFinding(
            severity=found.severity,
            rule=found.rule,
            line=line_of(path, found.where),
            where=found.where,
            message=found.message,
            mend=found.mend,
        )


def _fault(where: str, message: str, mend: str, place: str) -> LintFinding:
    line = place.rpartition(":")[2]
    return LintFinding(
        severity=Severity.ERROR,
        rule="invalid",
        line=int(line) if line.isdigit() else 0,
        where=where or "the whole document",
        message=message,
        mend=mend,
    )


if __name__ == "__main__":
    report = lint([Path(argument) for argument in sys.argv[1:]])
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
