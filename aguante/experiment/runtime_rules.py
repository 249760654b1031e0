"""Which faults a runtime can do: the one place that says so. The rest is refused with the reason."""

from collections.abc import Iterator, Mapping

from aguante.core.findings import Problem
from aguante.experiment.references import inner, mappings
from aguante.faults.process_actions import ACTIONS

REFUSED: Mapping[str, tuple[str, ...]] = {"native": ("pumba",), "compose": (), "attach": ()}
"""Runtime -> drivers that have nothing to act on there. Whether a borrowed testbed has containers shows only then."""


def runtime_problems(data: Mapping[str, object], runtime: str) -> Iterator[Problem]:
    """Every fault that this runtime cannot do.

    Args:
        data: the document as written.
        runtime: its name; empty: any, so that nothing is refused.
    """
    for path, fault in mappings(data, "faults"):
        for driver in REFUSED.get(runtime, ()):
            if driver in fault:
                command = inner(fault, driver).get("command")
                found = f"{driver}: {command}" if isinstance(command, str) else driver
                expected = "a fault on links or processes: the native runtime has no containers"
                yield Problem((*path, driver), found, expected, _instead(command))


def _instead(command: object) -> str:
    if command in ACTIONS:
        return (
            f"play it with --runtime compose, or write process: {{service, action: {command}}}, which "
            "every runtime can do"
        )
    return "play it with --runtime compose"
