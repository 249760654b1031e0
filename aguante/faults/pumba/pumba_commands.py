"""Every command of Pumba 1.1 that is offered, with its options and bounds.

The driver always sends every option, since some of Pumba's own defaults surprise (``netem delay`` adds 10 ms of
jitter, ``rm`` removes volumes, ``exec`` kills process 1). Flags, messages and bounds are those of Pumba 1.1.7; where
these are narrower, a comment gives the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from aguante.faults.fault_options import (
    TEN_MINUTES_MS,
    Flag,
    Interface,
    NetworkList,
    Number,
    Option,
    PortList,
    TextList,
    Whole,
    Words,
)
from aguante.faults.fault_variants import Rule, Variant, no_rule
from aguante.faults.observation import EVERY_FAILURE, ObservationRule, by_errors, by_shift
from aguante.faults.pumba import pumba_rules as rules

GRACE_S = (1, 20)
"""The undo waits until a container that was stopped has ended: at most so long."""
SHARE = (0.01, 1.0)
LEAST_PERCENT = (0.01, 100.0)
"""Pumba writes shares with two decimals: less would be sent as 0, and do nothing."""
PERCENT = (0.0, 100.0)
_SLOWER = by_shift()
SHARE_LEAST = 0.25
"""Of a loss whose share is small or not known: a tenth of the attempts must then show it."""
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2")
"""Of those that Pumba knows; ``pause`` takes the place of SIGSTOP, since it has an undo."""


@dataclass(frozen=True, kw_only=True)
class PumbaCommand(Variant):
    """One command: what it does, how it is undone, what Pumba logs when it has begun, and how attempts show it."""

    undone: str
    past: str = ""
    """For the headline: ``payments killed for 5 s``; empty: its name and length are given instead."""
    begun: str
    """The message that Pumba logs when the fault holds, or (kill, stop, ...) is being sent."""
    shared: tuple[Option, ...] = ()
    """Options of ``netem`` or ``iptables`` itself, which stand before what is emulated. Also in ``options``."""
    lasts: bool = False
    """Pumba stays for the whole window, and takes a ``--duration``."""
    helper: Literal["", "tc", "iptables", "stress"] = ""
    """The image of the helper container that Pumba starts first; that takes about a second."""
    shown_by: ObservationRule = _SLOWER
    """How attempts show it; of a delay and of a loss, the options say more (``PumbaFault.observation``)."""
    lossy: bool = False
    """It loses or corrupts a share of the packets, which the options give."""

    @property
    def schema_description(self) -> str:
        """Also says how it is undone."""
        return f"{self.meaning}; afterwards: {self.undone}"


_SIGNAL = Words(
    *("signal", "--signal", "one that it ignores does nothing", SIGNALS), default="SIGKILL"
)
_GRACE = "how long it may take to shut down"
_LIFE = (
    PumbaCommand(
        name="kill",
        meaning="sends a signal to the main process",
        undone="the container is started again",
        past="killed",
        begun="killing container",
        options=(_SIGNAL,),
        shown_by=by_errors(*EVERY_FAILURE),
    ),
    PumbaCommand(
        name="stop",
        meaning="SIGTERM, then SIGKILL when it has not ended in time",
        undone="the container is started again",
        past="stopped",
        begun="stopping container",
        options=(Whole("grace_s", "--time", _GRACE, GRACE_S, default=5),),
        shown_by=by_errors(*EVERY_FAILURE),
    ),
    PumbaCommand(
        name="pause",
        meaning="freezes every process: connections are accepted, nothing answers",
        undone="the container is unpaused",
        past="paused",
        begun="pausing container",
        lasts=True,
        shown_by=by_errors(*EVERY_FAILURE),
    ),
    PumbaCommand(
        name="rm",
        meaning="removes the containers of the service",
        undone="Compose makes them again",
        past="removed",
        begun="removing container",
        rule=rules.whole_service,
        shown_by=by_errors(*EVERY_FAILURE),
    ),
    PumbaCommand(
        name="restart",
        meaning="SIGTERM, then SIGKILL when it has not ended in time, and started again at once",
        undone="nothing is left to do; it must be healthy",
        past="restarted",
        begun="restart container",
        options=(Whole("grace_s", "--timeout", _GRACE, GRACE_S, default=5, unit="s"),),
        shown_by=ObservationRule(EVERY_FAILURE, new_process=True),
    ),
    PumbaCommand(
        name="exec",
        meaning="runs a program in the container, as root",
        undone="undo_command is run there; without one the container is restarted",
        past="made to run a program",
        begun="exec container",
        options=(
            Words("run", "--command", "the program"),
            TextList("args", "--args", "its arguments"),
            TextList("undo_command", "", "program and arguments that undo it"),
        ),
    ),
)

_INTERFACE = Interface("interface", "--interface", "network interface", default="eth0")
_DISTRIBUTIONS = ("uniform", "normal", "pareto", "paretonormal")
_PACKETS = Number("percent", "--percent", "of the packets", LEAST_PERCENT)
_CORRELATION = Number(
    *("correlation_percent", "--correlation", "on the packet before", PERCENT), default=0.0
)
_EMULATED = (
    _INTERFACE,
    NetworkList("to_ips", "--target", "only packets to these networks"),
    PortList("egress_ports", "--egress-port", "only packets from these ports of the service"),
    PortList("ingress_ports", "--ingress-port", "only packets to these ports of others"),
)


def _netem(
    name: str,
    meaning: str,
    *options: Option,
    shown_by: ObservationRule = _SLOWER,
    lossy: bool = False,
    rule: Rule = no_rule,
) -> PumbaCommand:
    """One emulation of the kernel's netem, on what the service sends."""
    return PumbaCommand(
        name=f"netem {name}",
        meaning=f"{meaning} packets that the service sends",
        undone="the queueing discipline is removed, and read back",
        begun="netem command started",
        options=(*options, *_EMULATED),
        shared=_EMULATED,
        lasts=True,
        helper="tc",
        shown_by=shown_by,
        lossy=lossy,
        rule=rule,
    )


_NETEM = (
    _netem(
        "delay",
        "delays",
        Whole("delay_ms", "--time", "delay of each packet", (1, TEN_MINUTES_MS)),
        Whole(
            *("jitter_ms", "--jitter", "varies by so much either way", (0, TEN_MINUTES_MS)),
            default=0,
        ),
        _CORRELATION,
        Words("distribution", "--distribution", "of the jitter", _DISTRIBUTIONS, default=""),
        rule=rules.delay,
    ),
    _netem("loss", "loses", _PACKETS, _CORRELATION, lossy=True),
    _netem(
        "loss-state",
        "loses, by a Markov chain of four states,",
        Number("p13_percent", "--p13", "from received (1) to lost in a burst (3)", PERCENT),
        Number("p31_percent", "--p31", "from (3) to (1)", PERCENT, default=100.0),
        Number(
            *("p32_percent", "--p32", "from (3) to received within a burst (2)", PERCENT),
            default=0.0,
        ),
        Number("p23_percent", "--p23", "from (2) to (3)", PERCENT, default=100.0),
        Number("p14_percent", "--p14", "from (1) to a single loss (4)", PERCENT, default=0.0),
        shown_by=by_shift(SHARE_LEAST),
    ),
    _netem(
        "loss-gemodel",
        "loses in bursts, by the Gilbert-Elliott model,",
        Number("pg_percent", "--pg", "from good to bad", PERCENT),
        Number("pb_percent", "--pb", "from bad to good", PERCENT, default=100.0),
        Number("lost_in_bad_percent", "--one-h", "lost in the bad state", PERCENT, default=100.0),
        Number("lost_in_good_percent", "--one-k", "lost in the good state", PERCENT, default=0.0),
        shown_by=by_shift(SHARE_LEAST),
    ),
    _netem(
        "rate",
        "limits the rate of",
        Whole("rate_kbit_per_s", "--rate", "kilobits a second", (1, 10_000_000), unit="kbit"),
        Whole(
            *("packet_overhead_bytes", "--packetoverhead", "added to each packet", (0, 1500)),
            default=0,
        ),
        Whole(
            *("cell_size_bytes", "--cellsize", "of the link layer; 0: none", (0, 65_535)),
            default=0,
        ),
        Whole(
            *("cell_overhead_bytes", "--celloverhead", "added to each cell", (0, 1500)), default=0
        ),
        rule=rules.rate,
    ),
    _netem("duplicate", "sends twice", _PACKETS, _CORRELATION, shown_by=by_shift(SHARE_LEAST)),
    _netem("corrupt", "flips a bit of", _PACKETS, _CORRELATION, lossy=True),
)

_PROTOCOLS = ("any", "tcp", "udp", "icmp")
_FILTERED = (
    Words("protocol", "--protocol", "only this one", _PROTOCOLS, default="any"),
    _INTERFACE,
    NetworkList("from_ips", "--source", "only packets from these networks"),
    NetworkList("to_ips", "--destination", "only packets to these networks"),
    PortList("from_ports", "--src-port", "only packets from these ports"),
    PortList("to_ports", "--dst-port", "only packets to these ports"),
)
_LOSS = PumbaCommand(
    name="iptables loss",
    meaning="drops packets that come in (IPv4)",
    undone="the rules are deleted, and asked for",
    begun="iptables command started",
    options=(
        Number(
            *("probability", "--probability", "share of the packets, at random", SHARE),
            default=0.0,
        ),
        Whole("every", "--every", "or one packet of so many, in turn", (1, 1_000_000), default=0),
        Whole("packet", "--packet", "which of them, from 0", (0, 999_999), default=0),
        *_FILTERED,
    ),
    shared=_FILTERED,
    lasts=True,
    helper="iptables",
    rule=rules.loss,
    lossy=True,
)

_WORKERS = (0, 64)
_STRESS = PumbaCommand(
    name="stress",
    meaning="stress-ng uses processor, memory and disk of the service, inside its limits",
    undone="the container of stress-ng is removed",
    past="put under stress",
    begun="stress-ng container created, starting it",
    options=(
        Whole("cpu_workers", "", "busy loops", _WORKERS, default=0),
        Whole("cpu_load_percent", "", "of each busy loop", (1, 100), default=100),
        Whole("memory_workers", "", "that fill memory over and over", _WORKERS, default=0),
        Whole("memory_mb", "", "of each memory worker", (1, 65_536), default=64),
        Whole("io_workers", "", "that call sync", _WORKERS, default=0),
        Whole("disk_workers", "", "that write and remove files", _WORKERS, default=0),
        Flag("same_cgroup", "--inject-cgroup", "inside the service's own control group"),
    ),
    lasts=True,
    helper="stress",
    rule=rules.stress,
)

COMMANDS: Mapping[str, PumbaCommand] = {
    each.name: each for each in (*_LIFE, *_NETEM, _LOSS, _STRESS)
}
"""By name, as a file has it: ``netem delay``."""
