"""Whether a fault by Pumba names a command, a service and options that there are, by the driver's own table."""

from collections.abc import Iterator, Mapping

from aguante.core.findings import Problem, did_you_mean, one_of
from aguante.core.units import meant_key
from aguante.experiment.process_rules import service_problems
from aguante.experiment.pumba_values import value_problem
from aguante.faults.pumba_commands import COMMANDS, STRESSORS, PumbaCommand
from aguante.testbed.testbed_spec import TestbedSpec

Path_ = tuple[str | int, ...]
OWN_KEYS = ("service", "command", "instance")
LONE = ("netem", "iptables")
"""Commands of Pumba that say nothing without what they emulate."""


def pumba_problems(
    path: Path_,
    section: Mapping[str, object],
    testbed: TestbedSpec,
    replicas: Mapping[str, object],
) -> Iterator[Problem]:
    """Everything wrong with one ``pumba:`` mapping.

    Args:
        path: where the mapping stands.
        section: the mapping as written; ``service``, ``command`` and ``instance`` of a wrong type are left
            to the shape check.
        testbed: the owner of the services.
        replicas: the experiment's own, as written.
    """
    yield from service_problems(path, section, testbed, replicas)
    name = section.get("command")
    if not isinstance(name, str):
        return
    command = COMMANDS.get(name)
    if command is None:
        yield Problem((*path, "command"), name, _all_commands(), _meant_command(name))
        return
    problems = [*_unknown(path, section, command), *_values(path, section, command)]
    yield from problems or _together(path, section, command)


def _all_commands() -> str:
    return f"one of {', '.join(COMMANDS)}"


def _meant_command(name: str) -> str:
    if name in LONE:
        those = [each for each in COMMANDS if each.startswith(f"{name} ")]
        return f"say what it emulates: {', '.join(those)}"
    return did_you_mean(name, COMMANDS, "choose one of them")


def _unknown(
    path: Path_, section: Mapping[str, object], command: PumbaCommand
) -> Iterator[Problem]:
    known = [each.key for each in command.options]
    for key in section:
        if key not in OWN_KEYS and key not in known:
            expected = f"{one_of(known)} with {command.name}" if known else "no options with it"
            meant, hint = meant_key(key, [*known, *OWN_KEYS])
            yield Problem(
                (*path, key), f"the key {key}", expected, hint, unknown_key=True, meant=meant
            )


def _values(path: Path_, section: Mapping[str, object], command: PumbaCommand) -> Iterator[Problem]:
    for option in command.options:
        at = (*path, option.key)
        if option.key in section:
            yield from value_problem(at, option, section[option.key])
        elif option.default is None:
            hint = f"add {option.key}: ({option.meaning})"
            expected = f"{option.key} with {command.name}"
            yield Problem(at, "nothing", expected, hint, at_key=False)


def _together(
    path: Path_, section: Mapping[str, object], command: PumbaCommand
) -> Iterator[Problem]:
    """What no option says alone."""
    if command.name == "rm" and "instance" in section:
        hint = "leave it out: Compose gives the one that is made anew another number"
        yield Problem((*path, "instance"), "the key instance", "the whole service with rm", hint)
    for key, needed in _NEEDS.get(command.name, {}).items():
        if section.get(key) and not section.get(needed):
            hint = f"add {needed}:, or remove {key}"
            yield Problem((*path, key), f"{key} without {needed}", "what it belongs to", hint)
    more = {"netem delay": _delay, "iptables loss": _loss, "stress": _stress}.get(command.name)
    if more is not None:
        yield from more(path, section)


_NEEDS: Mapping[str, Mapping[str, str]] = {
    # tc reads these by their place: a correlation without jitter would be taken for a jitter.
    "netem delay": {"correlation_percent": "jitter_ms", "distribution": "jitter_ms"},
    "netem rate": {
        "cell_size_bytes": "packet_overhead_bytes",
        "cell_overhead_bytes": "cell_size_bytes",
    },
    "stress": {"memory_mb": "memory_workers", "cpu_load_percent": "cpu_workers"},
}


def _delay(path: Path_, section: Mapping[str, object]) -> Iterator[Problem]:
    delay, jitter = section.get("delay_ms"), section.get("jitter_ms", 0)
    if isinstance(delay, int) and isinstance(jitter, int) and jitter > delay:
        expected = f"at most delay_ms ({delay})"
        hint = "delays below zero do not exist: give at most that"
        yield Problem((*path, "jitter_ms"), str(jitter), expected, hint)


def _loss(path: Path_, section: Mapping[str, object]) -> Iterator[Problem]:
    given = [key for key in ("probability", "every") if key in section]
    if len(given) != 1:
        found = " and ".join(given) or "neither"
        hint = "say how much is lost: a share at random, or one packet of so many"
        yield Problem(path, found, "exactly one of probability, every", hint)
    packet, every = section.get("packet", 0), section.get("every", 0)
    if isinstance(packet, int) and isinstance(every, int) and packet and packet >= every:
        hint = f"packets of a turn are counted from 0: give less than every ({every})"
        yield Problem((*path, "packet"), str(packet), "a packet of the turn", hint)
    for key in ("from_ports", "to_ports"):
        if section.get(key) and section.get("protocol") not in ("tcp", "udp"):
            hint = "add protocol: tcp"
            yield Problem((*path, key), f"{key} of any protocol", "ports of tcp or udp", hint)


def _stress(path: Path_, section: Mapping[str, object]) -> Iterator[Problem]:
    if not any(section.get(key) for key in STRESSORS):
        yield Problem(path, "no workers", f"at least one of {', '.join(STRESSORS)}", "add some")
