"""Before a fault by Pumba: which containers are meant, and whether this machine can do it. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aguante.clients.docker_cli import Container
from aguante.drivers.driver import FaultError
from aguante.drivers.pumba.pumba_arguments import Target, iptables_rules, matching
from aguante.drivers.pumba.pumba_cli import PumbaCli, have_image
from aguante.drivers.pumba.pumba_containers import Containers
from aguante.drivers.pumba.pumba_helpers import Helpers
from aguante.faults.fault_options import OptionValue
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.pumba.pumba_commands import COMMANDS, PumbaCommand
from aguante.faults.pumba.pumba_fault import PumbaFault, PumbaUndo
from aguante.testbed.testbed_spec import PumbaSpec

DRY_RUN_LIMIT_S = 15.0
ENDS_LIMIT_S = 10.0
"""Beyond a container's own grace, for a Pumba that ends by itself."""
SIGNAL_LIMIT_S = 8.0
"""For a process to end after another signal than SIGKILL; a service takes up to 7 s to end in order."""


@dataclass(frozen=True)
class Preparing:
    """Looks before anything is done.

    Args:
        pumba: to ask what it matches.
        containers: to find what is meant.
        settings: where the helper images are.
        project: Compose's name of the testbed.
        run_id: makes every fault's mark unique.
    """

    pumba: PumbaCli
    containers: Containers
    settings: PumbaSpec
    project: str
    run_id: str

    async def prepare(self, fault: PlannedFault) -> PumbaUndo:
        """Find the containers, and make sure that Pumba, kernel and images can do it.

        Raises:
            FaultError: no container matches, one does not run well, or the fault cannot be had here.
        """
        chosen = await self._chosen(fault)
        undo = self._undo_of(fault, chosen)
        await self._can(fault, undo)
        if undo.command == "rm":
            config_hash = await self.containers.hash_to_make_anew(self.project, chosen)
            undo = undo.model_copy(update={"config_hash": config_hash})
        await self._seen_by_pumba(fault, undo)
        return undo

    async def _chosen(self, fault: PlannedFault) -> tuple[Container, ...]:
        """The containers that the fault is meant for: all run, and none is ill already."""
        wanted = fault.of(PumbaFault)
        there = await self.containers.of(self.project, wanted.service)
        chosen = [each for each in there if wanted.instance in ("", each.instance)]
        if not chosen:
            everything = await self.containers.of(self.project)
            known = ", ".join(each.instance for each in everything) or "none at all"
            message = (
                f"fault {fault.id}: {self.project} has no container {fault.target}; it has {known}"
            )
            raise FaultError(message)
        for each in chosen:
            state = each.state if each.state != "running" else each.health
            if state not in ("", "healthy", "starting"):
                message = (
                    f"fault {fault.id}: {each.name} is {state} before anything was injected; see "
                    f"`docker logs {each.name}`"
                )
                raise FaultError(message)
        return tuple(chosen)

    def _undo_of(self, fault: PlannedFault, chosen: Sequence[Container]) -> PumbaUndo:
        wanted = fault.of(PumbaFault)
        command, options = COMMANDS[wanted.command], dict(wanted.options)
        undo_command = options.get("undo_command", ())
        return PumbaUndo(
            fault_id=fault.id,
            token=f"{self.run_id}.{fault.id}",
            project=self.project,
            service=wanted.service,
            command=command.name,
            containers=tuple(each.name for each in chosen),
            started=tuple(each.started_at for each in chosen),
            within_s=_ends_within_s(command, options),
            image=self._image(command),
            interface=str(options.get("interface", "")),
            rules=iptables_rules(fault),
            dies_within_s=SIGNAL_LIMIT_S if options.get("signal", "SIGKILL") != "SIGKILL" else 0.0,
            undo_command=undo_command if isinstance(undo_command, tuple) else (),
        )

    def _image(self, command: PumbaCommand) -> str:
        images = {
            "tc": self.settings.tc_image,
            "iptables": self.settings.iptables_image,
            "stress": self.settings.stress_image,
        }
        return images.get(command.helper, "")

    async def _can(self, fault: PlannedFault, undo: PumbaUndo) -> None:
        """Probe what the fault needs of this machine, in places where it does no harm."""
        docker = self.containers.docker
        if undo.image:
            await have_image(docker, undo.image, f"fault {fault.id} needs {undo.image}")
        helpers = Helpers(docker, undo.token)
        match COMMANDS[undo.command].helper:
            case "tc":
                await helpers.probe_netem(undo.image)
            case "iptables":
                await helpers.probe_iptables(undo.image)
            case "stress":
                same = dict(fault.of(PumbaFault).options).get("same_cgroup") is True
                await helpers.probe_stress(undo.image, same_cgroup=same)

    async def _seen_by_pumba(self, fault: PlannedFault, undo: PumbaUndo) -> None:
        """A dry run: what Pumba does not match it would not hit, and it would say that all is well."""
        run = await self.pumba.start(matching(targets_of(undo)), undo.token)
        if not await run.end(DRY_RUN_LIMIT_S):
            await run.kill()
        seen = {each.name for each in run.lines if each.message == COMMANDS["kill"].begun}
        unseen = [each for each in undo.containers if each not in seen]
        if unseen:
            message = (
                f"fault {fault.id}: Pumba does not find {', '.join(unseen)}, and would do nothing "
                f"({run.words()}); does it call the same Docker as `docker`, and is there no label "
                "com.gaiaadm.pumba.skip on it?"
            )
            raise FaultError(message)


def targets_of(undo: PumbaUndo) -> list[Target]:
    """The containers of a fault, one by one."""
    return [Target(undo.project, undo.service, each) for each in undo.containers]


def _ends_within_s(command: PumbaCommand, options: Mapping[str, OptionValue]) -> float:
    """How long a Pumba that ends by itself may take, after the longest grace of its container."""
    grace_s = options.get("grace_s", 0)
    lasting = command.lasts or command.name == "exec"
    return 0.0 if lasting or not isinstance(grace_s, int) else ENDS_LIMIT_S + grace_s
