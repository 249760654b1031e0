"""The command lines of Pumba, iptables and stress-ng for a fault. Pure."""

import hashlib
import ipaddress
import math
from collections.abc import Iterator, Mapping

from aguante.clients.docker_cli import PROJECT_LABEL, SERVICE_LABEL
from aguante.faults.fault_options import Option, OptionValue, PortList, Whole, as_text
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.pumba.pumba_commands import COMMANDS, PumbaCommand
from aguante.faults.pumba.pumba_fault import PumbaFault, PumbaUndo
from aguante.faults.pumba.pumba_rules import STRESSORS

SEED_LIMIT = 2**31


def dry_run(undo: PumbaUndo) -> list[str]:
    """Pumba logs which of the containers it would kill, and does nothing."""
    return [*_global(undo, "info"), "--dry-run", "kill", *undo.containers]


def arguments(fault: PlannedFault, undo: PumbaUndo, container: str) -> list[str]:
    """The arguments of Pumba for one container.

    The target is always one exact name together with its labels: without a name Pumba acts on all containers, and it
    inspects every container that the labels do not exclude.

    Args:
        fault: planned, and therefore checked.
        undo: names project, service and helper image.
        container: its exact name.
    """
    wanted = fault.of(PumbaFault)
    command, values = COMMANDS[wanted.command], dict(wanted.options)
    parent, _, child = command.name.partition(" ")
    own = [each for each in command.options if each not in command.shared]
    return [
        *_global(undo, "debug" if command.helper else "info"),
        parent,
        *_duration(command, fault),
        *_image(command, undo.image),
        *(word for option in command.shared for word in _flag(option, values)),
        *([child] if child else []),
        *(word for option in own if _wanted(option, values) for word in _flag(option, values)),
        *_more(command, fault, values, seed_of(undo.token)),
        container,
    ]


def _global(undo: PumbaUndo, level: str) -> list[str]:
    return [
        "--json",
        f"--log-level={level}",
        f"--label={PROJECT_LABEL}={undo.project}",
        f"--label={SERVICE_LABEL}={undo.service}",
    ]


def _duration(command: PumbaCommand, fault: PlannedFault) -> list[str]:
    """Pumba also requires it for ``stop``, but ignores it there without ``--restart``."""
    if not command.lasts and command.name != "stop":
        return []
    return [f"--duration={round(fault.length_s * 1000)}ms"]


def _image(command: PumbaCommand, image: str) -> list[str]:
    """Without a pull, which would delay the fault: the image is already here."""
    return [f"--{command.helper}-image={image}", "--pull-image=false"] if command.helper else []


def _flag(option: Option, values: Mapping[str, OptionValue]) -> list[str]:
    value = values[option.key]
    if not option.name or value in ("", ()) or value is False:
        return []
    if value is True:
        return [option.name]
    if isinstance(value, tuple):
        joined = (",".join(value),) if isinstance(option, PortList) else value
        return [f"{option.name}={each}" for each in joined]
    unit = option.unit if isinstance(option, Whole) else ""
    return [f"{option.name}={as_text(value)}{unit}"]


def _wanted(option: Option, values: Mapping[str, OptionValue]) -> bool:
    """iptables takes one of the two ways to say how much it drops."""
    if option.key in ("every", "packet"):
        return bool(values["every"])
    return option.key != "probability" or not values["every"]


def _more(
    command: PumbaCommand, fault: PlannedFault, values: Mapping[str, OptionValue], seed: int
) -> Iterator[str]:
    """Arguments that do not come from a single option."""
    if command.name == "rm":
        yield from ("--force", "--links=false", "--volumes=false")
    elif command.name == "iptables loss":
        yield f"--mode={'nth' if values['every'] else 'random'}"
    elif command.name == "stress":
        words = stressors(values, fault.length_s, seed)
        yield f"--stressors={' '.join(words)}"


def stressors(values: Mapping[str, OptionValue], length_s: float, seed: int) -> list[str]:
    """The arguments of stress-ng; it ends by itself one second after Pumba should have stopped it."""
    sizes = {
        "cpu_workers": ["--cpu-load", str(values["cpu_load_percent"])],
        "memory_workers": ["--vm-bytes", f"{values['memory_mb']}m"],
    }
    chosen = [key for key in STRESSORS if values[key]]
    workers = [
        word for key in chosen for word in (STRESSORS[key], str(values[key]), *sizes.get(key, []))
    ]
    return [*workers, *seeded(seed), "--timeout", f"{math.ceil(length_s) + 1}s"]


def seeded(seed: int) -> tuple[str, str]:
    """The arguments that identify a container of stress-ng as this fault's."""
    return "--seed", str(seed)


def seed_of(token: str) -> int:
    """A number for a fault, the same wherever it is computed."""
    return int.from_bytes(hashlib.sha256(token.encode()).digest()[:8]) % SEED_LIMIT


def iptables_rules(fault: PlannedFault) -> tuple[tuple[str, ...], ...]:
    """The rules that Pumba inserts: chain and match, without ``-I``. Each address and each port has its own rule."""
    wanted = fault.of(PumbaFault)
    if wanted.command != "iptables loss":
        return ()
    values = dict(wanted.options)
    protocol = str(values["protocol"])
    chain: tuple[str, ...] = ("INPUT", "-i", str(values["interface"]))
    chain += () if protocol == "any" else ("-p", protocol)
    filters: list[tuple[str, ...]] = [
        *(("-s", _network(each)) for each in _texts(values["from_ips"])),
        *(("-d", _network(each)) for each in _texts(values["to_ips"])),
        *(("--sport", each) for each in _texts(values["from_ports"])),
        *(("--dport", each) for each in _texts(values["to_ports"])),
    ]
    return tuple((*chain, *each, *_statistic(values)) for each in (filters or [()]))


def _statistic(values: Mapping[str, OptionValue]) -> tuple[str, ...]:
    how: tuple[str, ...]
    if values["every"]:
        how = ("nth", "--every", str(values["every"]), "--packet", str(values["packet"]))
    else:
        how = ("random", "--probability", f"{values['probability']:.2f}")  # as Pumba writes it
    return ("-m", "statistic", "--mode", *how, "-j", "DROP")


def _texts(value: OptionValue) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _network(text: str) -> str:
    return ipaddress.IPv4Network(text, strict=False).with_prefixlen
