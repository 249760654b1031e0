"""Which running testbed a command works on."""

import click

from aguante.runtimes.testbed_state import SavedState, default_parent, live_testbeds


def living_states() -> tuple[SavedState, ...]:
    """The testbeds that run on this machine."""
    return tuple(live_testbeds(default_parent()))


def one_state(testbed_id: str | None, otherwise: str = "") -> SavedState:
    """The testbed with this id; without an id, the only one that runs.

    Args:
        testbed_id: as given on the command line.
        otherwise: an alternative to an id, for the message.

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
    what = f"there is no testbed {testbed_id!r}" if testbed_id else "no testbed was named"
    message = f"{what}; running: {ids}. Give an ID{', ' + otherwise if otherwise else ''}"
    raise click.UsageError(message)
