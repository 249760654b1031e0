"""Faults on the processes of a service by signal: kill, stop, pause and restart. Every runtime can do them."""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Literal

from aguante.core.findings import Problem
from aguante.core.values import Text
from aguante.faults.fault_kind import Known, ServiceFault, ServiceSection, Undo
from aguante.faults.fault_variants import Variant, Written
from aguante.faults.observation import EVERY_FAILURE, ObservationRule


@dataclass(frozen=True)
class ProcessAction(Variant):
    """One action: what it does, and how it is undone."""

    _: KW_ONLY
    past: str
    """For the headline: ``payments killed for 5 s``."""


_ALL = (
    ProcessAction("kill", "SIGKILL; afterwards it is started again", past="killed"),
    ProcessAction("stop", "SIGTERM, it shuts down; afterwards it is started again", past="stopped"),
    ProcessAction("pause", "SIGSTOP, nothing answers; afterwards SIGCONT", past="paused"),
    ProcessAction("restart", "SIGTERM, and started again at once", past="restarted"),
)
ACTIONS: Mapping[str, ProcessAction] = {action.name: action for action in _ALL}
"""By name."""
_OF_CONTAINERS = ("rm", "exec", "netem", "loss", "stress")
"""What Pumba does to containers; a plain process has no network, image or limits of its own."""


class ProcessUndo(Undo):
    """The processes as they must be afterwards: alive, not stopped, and ready."""

    driver: Literal["process"] = "process"
    testbed: str
    """Its id: processes belong to the testbed, and only what runs it can start them again."""
    instances: tuple[str, ...]
    pids: tuple[int, ...]
    """Their process ids before the fault; a restarted process has another one."""

    @property
    def target(self) -> str:
        """The instances."""
        return ", ".join(self.instances)


class ProcessFault(ServiceFault):
    """One signal to the processes of one service."""

    driver: Literal["process"] = "process"
    action: Literal["kill", "stop", "pause", "restart"]

    @property
    def variant(self) -> str:
        """The action."""
        return self.action

    def observation(self) -> ObservationRule:
        """By any failure. An orderly restart may cost no attempt at all."""
        return ObservationRule(EVERY_FAILURE, new_process=self.action == "restart")

    def headline(self, length_s: float) -> str:
        """``payments killed for 4 s``."""
        return self.did(ACTIONS[self.action].past, length_s)

    def labels(self) -> tuple[str, ...]:
        """``kill payments-1``."""
        return (f"{self.action} {self.target}",)


class ProcessSection(ServiceSection):
    """One action on the processes of a service, by signal."""

    choice: ClassVar[str] = "action"
    table: ClassVar[Mapping[str, ProcessAction]] = ACTIONS
    fault_type = ProcessFault
    undo_type = ProcessUndo
    no_driver = (
        "cannot be signalled or started from here: only the runtime that started a process can start it "
        "again; end the testbed with `aguante down` and start another"
    )

    action: Text
    """``kill``, ``stop``, ``pause`` or ``restart``."""

    @classmethod
    def problems(cls, written: Written, known: Known) -> Iterator[Problem]:
        """An action on containers is referred to Pumba."""
        for problem in super().problems(written, known):
            other = problem.path == ("action",) and problem.found in _OF_CONTAINERS
            fix = f"use pumba: {{...}} in containers; {problem.found} acts on them alone"
            yield replace(problem, fix=fix) if other else problem

    def planned(self) -> ProcessFault:
        """The action on the instance, or on all of them."""
        return ProcessFault.model_validate(self.model_dump(exclude_none=True))
