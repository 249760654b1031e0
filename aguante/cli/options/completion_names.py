"""Shell completion of names that the testbed defines; empty where no testbed can be read."""

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from aguante.cli.options.testbed_option import find_testbed
from aguante.faults.toxiproxy import TOXICS
from aguante.testbed.testbed_spec import TestbedSpec


def policies(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The names of the policies."""
    spec = _testbed(ctx)
    return _begun(spec.policy_names if spec else (), incomplete)


def links(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The names of the links."""
    spec = _testbed(ctx)
    return _begun([link.name for link in spec.links] if spec else (), incomplete)


def toxics(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """The toxics, and ``down``."""
    return _begun(TOXICS, incomplete)


def runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The ids of past runs, latest first; folders where no id matches."""
    folder = Path(ctx.params.get("runs") or "runs")
    known = sorted((path.parent.name for path in folder.glob("*/plan.json")), reverse=True)
    begun = [CompletionItem(name) for name in _begun(known, incomplete)]
    return begun or [CompletionItem(incomplete, type="dir")]


def _begun(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _testbed(ctx: click.Context) -> TestbedSpec | None:
    try:
        return find_testbed(ctx.params.get("testbed"))
    except click.ClickException:
        return None  # an error message would appear in the middle of the command line
