"""Which testbed is meant, and how many of a service: what the commands about testbeds share."""

import click

from aguante.core.stored_values import NotARunError, read_value
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.runtimes.testbed_state import SavedState, default_parent, living
from aguante.testbed.testbed_spec import REPLICAS_MAX, TestbedSpec


def living_states() -> tuple[SavedState, ...]:
    """The testbeds that live."""
    return tuple(living(default_parent()))


def one_state(testbed_id: str | None, otherwise: str = "") -> SavedState:
    """The testbed of this id; without an id the only one there is.

    Args:
        testbed_id: as given on the command line.
        otherwise: what could be given in place of an id, for the message.

    Raises:
        click.UsageError: there is none, or none can be told; lists those that run.
    """
    states = living_states()
    if testbed_id is None and len(states) == 1:
        return states[0]
    for state in states:
        if state.id == testbed_id:
            return state
    what = f"there is no testbed {testbed_id!r}" if testbed_id else "which one?"
    ids = ", ".join(state.id for state in states) or "none"
    message = f"{what}; running: {ids}. Give an ID{', ' + otherwise if otherwise else ''}"
    raise click.UsageError(message)


def recorded_spec(folder: RunFolder) -> TestbedSpec:
    """The TestbedSpec that a run froze.

    Raises:
        EvidenceError: it is not there, or of another version.
    """
    try:
        return read_value(TestbedSpec, folder.testbed)
    except (OSError, NotARunError) as error:
        message = f"{folder.testbed} cannot be read: {error}: give the folder of one run"
        raise EvidenceError(message) from error


def replicas_of(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, int]:
    """``inventory=2`` -> ``{"inventory": 2}``; which services there are is checked when they start.

    Raises:
        click.BadParameter: something else, or a number out of range.
    """
    replicas = {}
    for each in given:
        name, _, number = each.partition("=")
        counts = number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= REPLICAS_MAX
        if not (name and counts):
            message = f"found {each!r}, expected SERVICE=N with N from 1 to {REPLICAS_MAX}"
            raise click.BadParameter(message)
        replicas[name] = int(number)
    return replicas
