"""Faults on the containers of a service by Pumba; the native runtime has no containers and refuses them."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from aguante.core.values import Text
from aguante.faults.fault_kind import ServiceFault, ServiceSection, Undo
from aguante.faults.fault_options import OptionValue, as_text
from aguante.faults.fault_variants import Written
from aguante.faults.observation import ObservationRule, by_delay, by_shift
from aguante.faults.process import ACTIONS
from aguante.faults.pumba.pumba_commands import COMMANDS, SHARE_LEAST, PumbaCommand

ONSET_ERROR_MAX_S = 1.0
"""Pumba is a program that is started for the fault: 0.1 to 0.4 s on two cores."""
HELPER_ONSET_ERROR_MAX_S = 2.5
"""Where Pumba starts a helper container before the fault: 0.6 to 1.4 s on two cores."""
PACKETS = 3
"""Of a call that a lost one delays: the request, and the answers of the database; on kept connections no more."""


class PumbaUndo(Undo):
    """The containers as they must be afterwards: there, running, not paused, healthy, and nothing added."""

    driver: Literal["pumba"] = "pumba"
    token: str
    """Made of run id and fault id: every Pumba and helper container of this fault carries it."""
    project: str
    """Compose's name of the testbed."""
    service: str
    command: str
    containers: tuple[str, ...]
    """Exact names."""
    started: tuple[str, ...]
    """When each had been started, as Docker writes it: a later start shows by another time."""
    within_s: float
    """How long a Pumba that ends by itself may still take; 0: it is stopped."""
    dies_within_s: float = 0.0
    """How long a container that got another signal than SIGKILL may still take to end."""
    image: str = ""
    """Has tc or iptables, to read and clear with; empty: nothing to read."""
    interface: str = ""
    rules: tuple[tuple[str, ...], ...] = ()
    """What ``iptables`` must not have, as arguments behind ``-C``."""
    undo_command: tuple[str, ...] = ()
    """What undoes an ``exec``; empty: the container is restarted."""
    config_hash: str = ""
    """Compose's own of the service, which a container that is made again must have; empty: none was removed."""

    @property
    def target(self) -> str:
        """The containers."""
        return ", ".join(self.containers)


class PumbaFault(ServiceFault):
    """One command of Pumba on the containers of one service."""

    driver: Literal["pumba"] = "pumba"
    command: str
    """A name of ``COMMANDS``."""
    options: tuple[tuple[str, OptionValue], ...] = ()
    """All of them, by their keys in the file, e.g. ``(("delay_ms", 300), ("jitter_ms", 0), ...)``."""

    @property
    def variant(self) -> str:
        """The command."""
        return self.command

    @property
    def onset_error_max_s(self) -> float:
        """More than for other kinds, since programs and containers are started first."""
        return HELPER_ONSET_ERROR_MAX_S if COMMANDS[self.command].helper else ONSET_ERROR_MAX_S

    def observation(self) -> ObservationRule:
        """By errors, by a delay, or by a shift of the attempts, as the command's row says.

        TCP repeats a lost packet: attempts get slower (by 0.2 s and more a packet), and only some fail.
        ``1 - (1 - p)^PACKETS`` of the calls lose at least one of the packets that matter.
        """
        command, options = COMMANDS[self.command], dict(self.options)
        if command.lossy:
            return by_shift(max(SHARE_LEAST, 1 - (1 - _lost(options)) ** PACKETS))
        if "delay_ms" in options:
            return by_delay(_whole(options, "delay_ms"), _whole(options, "jitter_ms"))
        return command.shown_by

    def headline(self, length_s: float) -> str:
        """``payments killed for 4 s``, or ``netem delay on payments for 12 s``."""
        past = COMMANDS[self.command].past
        return (
            self.did(past, length_s)
            if past
            else f"{self.command} on {self.target} for {length_s:g} s"
        )

    def labels(self) -> tuple[str, ...]:
        """``iptables loss (probability 0.3) on payments``: only options that are not the default."""
        defaults = {each.key: each.default for each in COMMANDS[self.command].options}
        chosen = [
            f"{key} {as_text(value)}" for key, value in self.options if value != defaults[key]
        ]
        listed = f" ({', '.join(chosen)})" if chosen else ""
        place = f"on {self.target}"
        return (f"{self.command}{listed} {place}", f"{self.command} {place}")


def _lost(options: Mapping[str, OptionValue]) -> float:
    """Share of the packets that iptables or netem drops or corrupts."""
    percent, every = options.get("percent"), _whole(options, "every")
    if isinstance(percent, int | float):
        return percent / 100
    probability = options.get("probability")
    share = probability if isinstance(probability, int | float) else 0.0
    return 1 / every if every else share


def _whole(options: Mapping[str, OptionValue], key: str) -> int:
    value = options.get(key, 0)
    return value if isinstance(value, int) else 0


class PumbaSection(ServiceSection):
    """One command of Pumba on the containers of a service. Options carry their unit in their name."""

    choice: ClassVar[str] = "command"
    table: ClassVar[Mapping[str, PumbaCommand]] = COMMANDS
    gathers: ClassVar[str] = "options"
    fault_type = PumbaFault
    undo_type = PumbaUndo
    no_driver = (
        "is no container of this testbed, and Pumba acts on containers: use --runtime compose, or --attach with "
        "a testbed of containers"
    )
    refused_by: ClassVar[Mapping[str, str]] = {"native": "the native runtime has no containers"}
    """An attached testbed may or may not have containers: that shows when it is attached."""

    command: Text
    """As Pumba has it: ``kill``, ``netem delay``, ``iptables loss``, ``stress``, ..."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """As written, e.g. ``delay_ms: 300``; every key that is none of the others."""

    @classmethod
    def instead(cls, written: Written) -> str:
        """Containers, or the same action by signal where there is one."""
        command = written.get("command")
        same = f", or write process: {{service, action: {command}}}, which every runtime can do"
        return f"use --runtime compose{same if command in ACTIONS else ''}"

    def planned(self) -> PumbaFault:
        """The options with defaults filled in."""
        return PumbaFault(
            service=self.service,
            command=self.command,
            instance=self.instance or "",
            options=COMMANDS[self.command].complete(self.options),
        )
