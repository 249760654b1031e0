"""Prepares a fault by Pumba: finds its containers, and checks that this machine can apply it. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aguante.clients.docker_cli import Container
from aguante.drivers.driver import FaultError
from aguante.drivers.pumba.pumba_arguments import dry_run, iptables_rules
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
"""Added to a container's own grace period, for a Pumba that ends by itself."""
SIGNAL_LIMIT_S = 8.0
"""Limit for a process to end after another signal than SIGKILL; a service takes up to 7 s to shut down."""


@dataclass(frozen=True)
class Preparing:
    """Finds containers and checks requirements.

    Args:
        pumba: for a dry run.
        containers: to find the containers.
        settings: names the helper images.
        project: Compose's name of the testbed.
        run_id: makes the token of every fault unique.
    """

    pumba: PumbaCli
    containers: Containers
    settings: PumbaSpec
    project: str
    run_id: str

    async def prepare(self, fault: PlannedFault) -> PumbaUndo:
        """Find the containers, and check that Pumba, kernel and images can apply the fault.

        Raises:
            FaultError: no container matches, one is not running and healthy, or the fault cannot be applied here.
            DockerError: Docker fails.
        """
        chosen = await self._chosen(fault)
        undo = self._undo_of(fault, chosen)
        await self._can(fault, undo)
        if undo.command == "rm":
            config_hash = await self.containers.hash_to_make_again(self.project, chosen)
            undo = undo.model_copy(update={"config_hash": config_hash})
        await self._seen_by_pumba(fault, undo)
        return undo

    async def _chosen(self, fault: PlannedFault) -> tuple[Container, ...]:
        """The containers that the fault acts on: all of them are running, and none is unhealthy."""
        wanted = fault.of(PumbaFault)
        docker = self.containers.docker
        there = await docker.containers(self.project, wanted.service)
        chosen = [each for each in there if wanted.instance in ("", each.instance)]
        if not chosen:
            everything = await docker.containers(self.project)
            known = ", ".join(each.instance for each in everything) or "none"
            message = (
                f"fault {fault.id}: {self.project} has no container {fault.target}; it has {known}"
            )
            raise FaultError(message)
        for each in chosen:
            state = each.state if each.state != "running" else each.health
            if state not in ("", "healthy", "starting"):
                message = (
                    f"fault {fault.id}: {each.name} was {state} before anything was injected; see "
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
        """Check in temporary namespaces that this machine has what the fault needs."""
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
        """A dry run: Pumba would silently do nothing to a container that it does not match."""
        run = await self.pumba.start(dry_run(undo), undo.token)
        if not await run.end(DRY_RUN_LIMIT_S):
            await run.kill()
        seen = {each.name for each in run.lines if each.message == COMMANDS["kill"].begun}
        unseen = [each for each in undo.containers if each not in seen]
        if unseen:
            message = (
                f"fault {fault.id}: Pumba does not find {', '.join(unseen)} and would do nothing "
                f"({run.words()}); check that it calls the same Docker as `docker`, and that the container has no "
                "label com.gaiaadm.pumba.skip"
            )
            raise FaultError(message)


def _ends_within_s(command: PumbaCommand, options: Mapping[str, OptionValue]) -> float:
    """How long a Pumba that ends by itself may take, including the grace period of its container."""
    grace_s = options.get("grace_s", 0)
    lasting = command.lasts or command.name == "exec"
    return 0.0 if lasting or not isinstance(grace_s, int) else ENDS_LIMIT_S + grace_s
