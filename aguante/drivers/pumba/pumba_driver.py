"""Applies faults on containers with Pumba. The undo is a state, as for every driver, and this driver restores it.

A target is always a list of exact names, found by Compose's labels, and each container gets a Pumba of its own.
Pumba cleans up when its time is over, but not when it is killed. So everything is read back, and cleared if it is
still there.
"""

import asyncio
import time

from aguante.clients.docker_causes import FREEZE_TRIES, NOT_FROZEN
from aguante.clients.docker_cli import Container, Docker, DockerError
from aguante.drivers.driver import FaultError, as_fault_error
from aguante.drivers.pumba.pumba_arguments import arguments
from aguante.drivers.pumba.pumba_begin import begins
from aguante.drivers.pumba.pumba_cli import PumbaCli
from aguante.drivers.pumba.pumba_containers import Containers
from aguante.drivers.pumba.pumba_helpers import Helpers
from aguante.drivers.pumba.pumba_prepare import Preparing
from aguante.drivers.pumba.pumba_run import PumbaRun
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaUndo
from aguante.run_folder.events import STARTED_ANEW
from aguante.testbed.testbed_spec import PumbaSpec

CLEAN_UP_LIMIT_S = 20.0
"""Limit for a stopped Pumba to clean up before it is killed, and the driver cleans up."""
GIVES_UP_LIMIT_S = 1.0
"""The same for a Pumba without anything to clean up: while its ``exec`` still runs, it ignores SIGTERM."""
READY_LIMIT_S = 30.0
POLL_S = 0.1


class PumbaDriver:
    """A :class:`~aguante.drivers.driver.FaultDriver` for the containers of one testbed.

    Args:
        docker: calls the daemon that runs them, with the environment that the compose file interpolates.
        project: Compose's name of the testbed.
        run_id: makes the token of every fault unique.
        settings: names Pumba and its helper images.
        ready_limit_s: how long a container may take to become healthy again.
    """

    def __init__(
        self,
        docker: Docker,
        project: str,
        run_id: str,
        settings: PumbaSpec,
        *,
        ready_limit_s: float = READY_LIMIT_S,
    ) -> None:
        self._docker = docker
        self.pumba = PumbaCli(docker, settings.program, settings.image)
        self._containers = Containers(docker)
        self._preparing = Preparing(self.pumba, self._containers, settings, project, run_id)
        self._ready_limit_s = ready_limit_s
        self._version = ""
        self._undos: dict[str, PumbaUndo] = {}
        self.runs: dict[str, list[PumbaRun]] = {}
        self._began: set[str] = set()
        self._taken_back: set[str] = set()
        self._dropped: dict[str, int] = {}

    async def prepare(self, fault: PlannedFault) -> PumbaUndo:
        """Find the containers, and check that Pumba, kernel and images can apply the fault. Changes nothing.

        Raises:
            FaultError: no container matches, one is not running and healthy, or the fault cannot be applied here.
        """
        with as_fault_error(f"fault {fault.id}", DockerError):
            self._version = self._version or await self.pumba.version()
            self._undos[fault.id] = await self._preparing.prepare(fault)
        return self._undos[fault.id]

    async def apply(self, fault: PlannedFault) -> None:
        """Start a Pumba for each container; returns when each has logged that the fault is active, and Docker agrees.

        A container that was signalled to end (``stop``, ``restart``) takes its time; the fault has begun then.

        Raises:
            FaultError: Pumba ended without applying it, or it was not active in time.
        """
        what = f"fault {fault.id} could not {fault.variant} {fault.target}"
        with as_fault_error(what, FaultError, DockerError):
            undo = self._undos[fault.id] = await self._as_of_now(self._undos[fault.id])
            self._began.add(fault.id)
            work = (self._begin(fault, undo, container) for container in undo.containers)
            # until the last one ends: none may start a Pumba while the undo is under way
            for failure in await asyncio.gather(*work, return_exceptions=True):
                if failure is not None:
                    raise failure

    async def _begin(self, fault: PlannedFault, undo: PumbaUndo, container: str) -> None:
        """Start a Pumba for one container, and another if the container could not be frozen at that moment."""
        runs = self.runs.setdefault(fault.id, [])
        words = arguments(fault, undo, container)
        for left in reversed(range(FREEZE_TRIES)):
            run = await self.pumba.start(words, undo.token)
            runs.append(run)
            try:
                await begins(self._containers, undo, run, container)
            except FaultError as why:
                if not left or NOT_FROZEN not in str(why):
                    raise
            else:
                return

    async def _as_of_now(self, undo: PumbaUndo) -> PumbaUndo:
        """With the current start times: an earlier fault of the run may have restarted the containers."""
        there = await self._containers.named(undo.containers)
        now = {name: each.started_at for name, each in there.items()}
        started = (now.get(*pair) for pair in zip(undo.containers, undo.started, strict=True))
        return undo.model_copy(update={"started": tuple(started)})

    async def undo(self, undo: PumbaUndo) -> None:
        """End Pumba, restore the containers, and clear what Pumba left in them; idempotent.

        Raises:
            FaultError: Docker, iptables or tc fails.
        """
        undo = self._undos.get(undo.fault_id, undo)
        what = f"fault {undo.fault_id} could not be undone on {undo.target}"
        with as_fault_error(what, FaultError, DockerError):
            if not await self._docker.containers(undo.project):
                return  # the whole testbed has ended, and the fault with it
            if self._untouched(undo):
                return
            await self._count(undo)
            await self._end_pumba(undo)
            await self._containers.restore(undo)
            await self._take_back(undo)
            await self._clear(undo)

    def _untouched(self, undo: PumbaUndo) -> bool:
        """Whether it was prepared here and never applied; what a dead run did is not known here."""
        return undo.fault_id in self._undos and undo.fault_id not in self._began

    async def _count(self, undo: PumbaUndo) -> None:
        """Record what the kernel counted while the fault was active, as evidence."""
        if undo.rules and self.runs.get(undo.fault_id):
            helpers = Helpers(self._docker, undo.token)
            work = (helpers.dropped(undo, each) for each in await self._living(undo))
            self._dropped[undo.fault_id] = sum(await asyncio.gather(*work))

    async def _end_pumba(self, undo: PumbaUndo) -> None:
        """The Pumba that this driver started, else the one that a dead run left."""
        runs = self.runs.pop(undo.fault_id, [])
        if undo.within_s:
            await asyncio.gather(*(run.end(undo.within_s) for run in runs))
        limit_s = CLEAN_UP_LIMIT_S if COMMANDS[undo.command].lasts else GIVES_UP_LIMIT_S
        await asyncio.gather(*(run.stop(limit_s) for run in runs))
        if not runs:
            await self.pumba.end_orphans(undo.token, undo.within_s, limit_s)

    async def _take_back(self, undo: PumbaUndo) -> None:
        """Undo what a program did inside a container."""
        if undo.command != "exec" or undo.fault_id in self._taken_back:
            return
        if undo.undo_command:
            await self._containers.run_in(undo)
        else:
            await self._containers.restart(undo)
        self._taken_back.add(undo.fault_id)

    async def _clear(self, undo: PumbaUndo) -> None:
        if not undo.image:
            return
        helpers = Helpers(self._docker, undo.token)
        await helpers.remove_left(await self._ids(undo))
        clear = _CLEARED_BY.get(COMMANDS[undo.command].helper)
        if clear is not None:
            living = await self._living(undo)
            await asyncio.gather(*(clear(helpers, undo, name) for name in living))

    async def verify(self, undo: PumbaUndo) -> None:
        """Read back that each container exists, runs and is healthy, and that nothing is left in it.

        Raises:
            FaultError: this is not so after READY_LIMIT_S, or it could not be read; says what is still active.
        """
        with as_fault_error(f"fault {undo.fault_id} could not be verified as undone", DockerError):
            if not await self._docker.containers(undo.project):
                return
            await self._healthy_again(undo)
            left = await self._left(undo)
        if left:
            message = f"fault {undo.fault_id} is still active: {left}"
            raise FaultError(message)

    async def _healthy_again(self, undo: PumbaUndo) -> None:
        deadline = time.monotonic() + self._ready_limit_s
        while why := await self._containers.unwell(undo):
            if time.monotonic() > deadline:
                message = (
                    f"fault {undo.fault_id} is still active: {why}, {self._ready_limit_s:g} s after it was undone; "
                    "`docker logs` shows why, `docker start` starts it"
                )
                raise FaultError(message)
            await asyncio.sleep(POLL_S)

    async def _left(self, undo: PumbaUndo) -> str:
        if not undo.image:
            return ""
        helpers = Helpers(self._docker, undo.token)
        behind = await helpers.left_behind(await self._ids(undo))
        if behind:
            return f"helper containers {', '.join(each[:12] for each in behind)}"
        find = _FOUND_BY.get(COMMANDS[undo.command].helper)
        if find is None:
            return ""
        found = await asyncio.gather(*(find(helpers, undo, name) for name in undo.containers))
        pairs = zip(undo.containers, found, strict=True)
        return "; ".join(f"{name} has {', '.join(each)}" for name, each in pairs if each)

    async def _living(self, undo: PumbaUndo) -> list[str]:
        """The containers that run: others have no network namespace."""
        there = await self._containers.named(undo.containers)
        return [name for name, each in there.items() if each.state in ("running", "paused")]

    async def _ids(self, undo: PumbaUndo) -> list[str]:
        return [each.id for each in (await self._containers.named(undo.containers)).values()]

    async def evidence(self, fault: PlannedFault) -> str:
        """Each container as Docker reports it, whether it was restarted, and what the kernel dropped."""
        undo = self._undos[fault.id]
        with as_fault_error(f"fault {fault.id}", DockerError):
            there = await self._containers.named(undo.containers)
        pairs = zip(undo.containers, undo.started, strict=True)
        parts = [_described(name, there.get(name), before) for name, before in pairs]
        if fault.id in self._dropped:
            parts.append(f"the kernel dropped {self._dropped[fault.id]} packets")
        return "; ".join([self._version, *parts])


_CLEARED_BY = {"iptables": Helpers.clear_rules, "tc": Helpers.clear_netem}
_FOUND_BY = {"iptables": Helpers.find_rules, "tc": Helpers.find_netem}


def _described(name: str, container: Container | None, before: str) -> str:
    if container is None:
        return f"{name}: gone"
    state = f"{container.state}, {container.health}" if container.health else container.state
    anew = f", {STARTED_ANEW} (was {before})" if container.started_at != before else ""
    return f"{name}: {state}{anew}"
