"""``aguante lint``: check policies by running the lint hook of the system under test in a child process."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import click
from pydantic import AliasChoices, Field, ValidationError

from aguante.cli.options import completion_names as names
from aguante.cli.options.regular_file import original_name, regular_file
from aguante.cli.options.testbed_option import find_testbed, testbed_option
from aguante.core.findings import did_you_mean
from aguante.core.input_files import is_stream
from aguante.core.values import Value
from aguante.core.yaml_files import yaml_files
from aguante.testbed.testbed_spec import TestbedSpec

HOOK_S = 60.0
"""The hook only reads files, so a longer run means that it hangs."""


class LintFinding(Value):
    """One finding of the hook; ``line`` is 0 when it concerns no particular line."""

    severity: Literal["error", "warning", "info"]
    rule: str
    line: int
    where: str
    message: str
    fix: str = Field(validation_alias=AliasChoices("fix", "mend"))
    """``mend`` is the old name, which hooks may still print."""

    def line_of(self, file: str) -> str:
        """``file:line: severity: where: message; fix: ... [rule]``."""
        place = f"{file}:{self.line}" if self.line else file
        return (
            f"{place}: {self.severity}: {self.where}: {self.message}; fix: {self.fix} [{self.rule}]"
        )


class LintedPolicy(Value):
    """One policy file and its findings."""

    file: str
    findings: tuple[LintFinding, ...]


class LintReport(Value):
    """The JSON that every lint hook prints to standard output."""

    format_version: Literal[1]
    policies: tuple[LintedPolicy, ...]

    def count(self, severity: str) -> int:
        """The number of findings of one severity in all files."""
        return sum(found.severity == severity for each in self.policies for found in each.findings)


@click.command("lint")
@click.argument("policies", nargs=-1, metavar="[POLICY...]", shell_complete=names.policies)
@testbed_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def lint_command(policies: tuple[str, ...], testbed: Path | None, *, as_json: bool) -> int:
    """Check policies: their syntax, and whether their timeouts, retries and deadline fit together.

    POLICY is the name of a policy of the testbed, a file, or - for standard input; default: all policies of the
    testbed. Each finding gives its place, what cannot take effect or is cut short, and how to fix it.

    Exit 0: no errors (warnings are possible); 1: errors; 3: no such policy, or the testbed has no lint hook.
    """
    spec = find_testbed(testbed)
    report = run_hook(spec, [_file(spec, name) for name in policies] or _all(spec))
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        click.echo("\n".join(_lines(report)))
    return 1 if report.count("error") else 0


def run_hook(spec: TestbedSpec, files: Sequence[Path]) -> LintReport:
    """Run the testbed's hook over ``files`` in a child process.

    Raises:
        click.ClickException: there is no hook, or it fails, hangs, or does not print a report.
    """
    if spec.lint is None:
        msg = "this testbed has no lint hook: add `lint: {module: ...}` to its testbed.yaml"
        raise click.ClickException(msg)
    command = [sys.executable, "-m", spec.lint.module, *map(str, files)]
    try:
        done = subprocess.run(
            command, cwd=spec.root, capture_output=True, text=True, timeout=HOOK_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        msg = f"the lint hook {spec.lint.module} did not finish within {HOOK_S:g} s"
        raise click.ClickException(msg) from error
    try:
        return LintReport.model_validate_json(done.stdout)
    except ValidationError as error:
        printed = (done.stderr or done.stdout).strip()[-500:] or "nothing"
        msg = f"the lint hook {spec.lint.module} (exit {done.returncode}) printed no report: {printed}"
        raise click.ClickException(msg) from error


def _all(spec: TestbedSpec) -> list[Path]:
    return yaml_files(spec.policies)


def _file(spec: TestbedSpec, name: str) -> Path:
    named = spec.policy_file(name)
    if named.is_file():
        return named
    if Path(name).is_file() or is_stream(Path(name)):
        return regular_file(Path(name)).resolve()
    hint = did_you_mean(name, [path.stem for path in _all(spec)], "give a name from that folder")
    msg = f"there is no policy {name}: not found in {spec.policies}, and not a file; {hint}"
    raise click.ClickException(msg)


def _lines(report: LintReport) -> Iterable[str]:
    for policy in report.policies:
        file = _shown(policy.file)
        yield from (found.line_of(file) for found in policy.findings)
        if not policy.findings:
            yield f"{file}: no findings"
    counts = ", ".join(
        f"{report.count(each)} {each}{'s' if each != 'info' else ''}"
        for each in ("error", "warning", "info")
    )
    yield f"{len(report.policies)} policies: {counts}"


def _shown(file: str) -> str:
    """The path relative to the current folder, if it is below it."""
    here = Path.cwd()
    path = original_name(Path(file))
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
