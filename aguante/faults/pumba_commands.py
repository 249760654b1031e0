"""Every command of Pumba 1.1 that is offered, with options and bounds: the one table that YAML and driver share.

Standard library only, so that validating a file imports nothing of the driver. Every option is always
sent, since some of Pumba's own defaults surprise (``netem delay`` comes with 10 ms of jitter, ``rm``
removes volumes, ``exec`` kills process 1). Flags, messages and bounds are those of Pumba 1.1.7; where
ours are narrower, the reason stands beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from aguante.faults.pumba_options import (
    Option,
    OptionValue,
    addresses,
    flag,
    number,
    percent,
    ports,
    text,
    typed,
    whole,
    words,
)

TEN_MINUTES_MS = 600_000
GRACE_S = (1, 20)
"""The undo waits for a container that is told to end, so that takes no longer."""
SHARE = (0.01, 1.0)
PERCENT = (0.01, 100.0)
"""Pumba writes shares with two decimals: less would be sent as 0, and do nothing."""
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2")
"""Of those that Pumba knows; SIGSTOP is left to ``pause``, which has an undo."""


@dataclass(frozen=True)
class PumbaCommand:
    """One command: what it does, how it is undone, and what Pumba logs when it has begun."""

    name: str
    meaning: str
    undone: str
    past: str
    """As a report tells it: ``payments killed for 5 s``; empty: told by name and options."""
    begun: str
    """The message that Pumba logs when the fault holds, or (kill, stop, ...) is being sent."""
    options: tuple[Option, ...] = ()
    lasts: bool = False
    """Pumba stays for the whole window, and takes a ``--duration``."""
    helper: Literal["", "tc", "iptables", "stress"] = ""
    """The image of the helper container that Pumba starts first; that takes about a second."""

    def option(self, key: str) -> Option | None:
        """The option with this key, or None."""
        return next((each for each in self.options if each.key == key), None)


_LIFE = (
    PumbaCommand(
        name="kill",
        meaning="sends a signal to the main process",
        undone="the container is started again",
        past="killed",
        begun="killing container",
        options=(
            text("signal", "--signal", "one that it ignores does nothing", "SIGKILL", SIGNALS),
        ),
    ),
    PumbaCommand(
        name="stop",
        meaning="SIGTERM, then SIGKILL when it has not ended in time",
        undone="the container is started again",
        past="stopped",
        begun="stopping container",
        options=(whole("grace_s", "--time", GRACE_S, "how long it may take to end in order", 5),),
    ),
    PumbaCommand(
        name="pause",
        meaning="freezes every process: connections are accepted, nothing answers",
        undone="the container is unpaused",
        past="paused",
        begun="pausing container",
        lasts=True,
    ),
    PumbaCommand(
        name="rm",
        meaning="removes the containers of the service",
        undone="Compose makes them anew",
        past="removed",
        begun="removing container",
    ),
    PumbaCommand(
        name="restart",
        meaning="SIGTERM, then SIGKILL when it has not ended in time, and started again at once",
        undone="nothing is left to do; it must be healthy",
        past="restarted",
        begun="restart container",
        options=(
            whole("grace_s", "--timeout", GRACE_S, "how long it may take to end in order", 5, "s"),
        ),
    ),
    PumbaCommand(
        name="exec",
        meaning="runs a program in the container, as root",
        undone="undo_command is run there; without one the container is restarted",
        past="made to run a program",
        begun="exec container",
        options=(
            text("run", "--command", "the program", None),
            words("args", "--args", "its arguments"),
            words("undo_command", "", "program and arguments that take it back"),
        ),
    ),
)

_INTERFACE = replace(text("interface", "--interface", "network interface", "eth0"), early=True)
_DISTRIBUTIONS = ("uniform", "normal", "pareto", "paretonormal")
_PACKETS = number("percent", "--percent", PERCENT, "of the packets", None)
_CORRELATION = percent("correlation_percent", "--correlation", "on the packet before", 0.0)
_EMULATED = (
    _INTERFACE,
    addresses("to_ips", "--target", "only packets to these networks"),
    ports("egress_ports", "--egress-port", "only packets from these ports of the service"),
    ports("ingress_ports", "--ingress-port", "only packets to these ports of others"),
)


def _netem(name: str, meaning: str, *options: Option) -> PumbaCommand:
    """One emulation of the kernel's netem, on what the service sends."""
    return PumbaCommand(
        name=f"netem {name}",
        meaning=f"{meaning} packets that the service sends",
        undone="the queueing discipline is removed, and read back",
        past="",
        begun="netem command started",
        options=(*options, *_EMULATED),
        lasts=True,
        helper="tc",
    )


_NETEM = (
    _netem(
        "delay",
        "delays",
        whole("delay_ms", "--time", (1, TEN_MINUTES_MS), "delay of each packet", None),
        whole("jitter_ms", "--jitter", (0, TEN_MINUTES_MS), "varies by so much either way", 0),
        _CORRELATION,
        text("distribution", "--distribution", "of the jitter", "", _DISTRIBUTIONS),
    ),
    _netem("loss", "loses", _PACKETS, _CORRELATION),
    _netem(
        "loss-state",
        "loses, by a Markov chain of four states,",
        percent("p13_percent", "--p13", "from received (1) to lost in a burst (3)", None),
        percent("p31_percent", "--p31", "from (3) to (1)", 100.0),
        percent("p32_percent", "--p32", "from (3) to received within a burst (2)", 0.0),
        percent("p23_percent", "--p23", "from (2) to (3)", 100.0),
        percent("p14_percent", "--p14", "from (1) to a single loss (4)", 0.0),
    ),
    _netem(
        "loss-gemodel",
        "loses in bursts, by the Gilbert-Elliott model,",
        percent("pg_percent", "--pg", "from good to bad", None),
        percent("pb_percent", "--pb", "from bad to good", 100.0),
        percent("lost_in_bad_percent", "--one-h", "lost in the bad state", 100.0),
        percent("lost_in_good_percent", "--one-k", "lost in the good state", 0.0),
    ),
    _netem(
        "rate",
        "limits the rate of",
        whole("rate_kbit_per_s", "--rate", (1, 10_000_000), "kilobits a second", None, "kbit"),
        whole("packet_overhead_bytes", "--packetoverhead", (0, 1500), "added to each packet", 0),
        whole("cell_size_bytes", "--cellsize", (0, 65_535), "of the link layer; 0: none", 0),
        whole("cell_overhead_bytes", "--celloverhead", (0, 1500), "added to each cell", 0),
    ),
    _netem("duplicate", "sends twice", _PACKETS, _CORRELATION),
    _netem("corrupt", "flips a bit of", _PACKETS, _CORRELATION),
)

_LOSS = PumbaCommand(
    name="iptables loss",
    meaning="drops packets that come in (IPv4)",
    undone="the rules are deleted, and asked for",
    past="",
    begun="iptables command started",
    options=(
        number("probability", "--probability", SHARE, "share of the packets, at random", 0.0),
        whole("every", "--every", (1, 1_000_000), "or one packet of so many, in turn", 0),
        whole("packet", "--packet", (0, 999_999), "which of them, from 0", 0),
        replace(
            text("protocol", "--protocol", "only this one", "any", ("any", "tcp", "udp", "icmp")),
            early=True,
        ),
        _INTERFACE,
        addresses("from_ips", "--source", "only packets from these networks"),
        addresses("to_ips", "--destination", "only packets to these networks"),
        ports("from_ports", "--src-port", "only packets from these ports"),
        ports("to_ports", "--dst-port", "only packets to these ports"),
    ),
    lasts=True,
    helper="iptables",
)

_WORKERS = (0, 64)
STRESSORS: Mapping[str, str] = {
    "cpu_workers": "--cpu",
    "memory_workers": "--vm",
    "io_workers": "--io",
    "disk_workers": "--hdd",
}
"""Workers of stress-ng; at least one is wanted."""
_STRESS = PumbaCommand(
    name="stress",
    meaning="stress-ng takes processor, memory and disk from the service, inside its limits",
    undone="the container of stress-ng is removed",
    past="put under stress",
    begun="stress-ng container created, starting it",
    options=(
        whole("cpu_workers", "", _WORKERS, "busy loops", 0),
        whole("cpu_load_percent", "", (1, 100), "of each busy loop", 100),
        whole("memory_workers", "", _WORKERS, "that fill memory over and over", 0),
        whole("memory_mb", "", (1, 65_536), "of each memory worker", 64),
        whole("io_workers", "", _WORKERS, "that call sync", 0),
        whole("disk_workers", "", _WORKERS, "that write and remove files", 0),
        flag("same_cgroup", "--inject-cgroup", "inside the service's own control group"),
    ),
    lasts=True,
    helper="stress",
)

COMMANDS: Mapping[str, PumbaCommand] = {
    each.name: each for each in (*_LIFE, *_NETEM, _LOSS, _STRESS)
}
"""By name, as one types it: ``netem delay``."""


def complete(command: str, given: Mapping[str, object]) -> tuple[tuple[str, OptionValue], ...]:
    """The options with the defaults filled in, in the table's order.

    Args:
        command: a name of :data:`COMMANDS`.
        given: as written in the file, and checked.

    Raises:
        KeyError: no such command.
    """
    options = COMMANDS[command].options
    return tuple((each.key, typed(each, given.get(each.key, each.default))) for each in options)
