"""Which running testbed a command works on."""

import asyncio

import click

from aguante.clients.docker_cli import Docker
from aguante.runtimes.attach.find_testbed import UnknownTestbedError, find_testbed_of
from aguante.runtimes.testbed_state import SavedState, default_parent, live_testbeds
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec

which_argument = click.argument("which", metavar="[WHICH]", required=False)
"""The same as ``--attach``, for commands that take no other argument."""


def living_states() -> tuple[SavedState, ...]:
    """The testbeds that run on this machine."""
    return tuple(live_testbeds(default_parent()))


def one_state(testbed_id: str | None) -> SavedState:
    """The testbed with this id; without an id, the only one that runs.

    Raises:
        click.UsageError: none matches, or several run and no id was given; lists those that run.
    """
    states = living_states()
    if testbed_id is None and len(states) == 1:
        return states[0]
    for state in states:
        if state.id == testbed_id:
            return state
    ids = ", ".join(state.id for state in states) or "none"
    what = f"there is no testbed {testbed_id!r}" if testbed_id else "which testbed?"
    message = f"{what}; running: {ids}. Give an ID, or --all"
    raise click.UsageError(message)


def attached(which: str | None, attach: str | None, spec: TestbedSpec) -> Testbed:
    """The running testbed that the argument or ``--attach`` names; without either, the only one.

    Raises:
        click.UsageError: none matches, both were given, or several run and none was named.
        TestbedError: it is still starting, or does not run any more.
    """
    if which and attach:
        message = "give either WHICH or --attach"
        raise click.UsageError(message)
    wanted = find_testbed_of(which or attach or "", spec, default_parent(), Docker())
    try:
        return asyncio.run(wanted)
    except UnknownTestbedError as error:
        raise click.UsageError(str(error)) from error
