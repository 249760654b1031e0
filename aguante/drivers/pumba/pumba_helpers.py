"""Helper containers: they look into the network namespace of a container, and clear what Pumba left there.

Pumba itself works by such containers; a Pumba that is killed leaves them, and its rules, behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aguante.clients.docker_cli import CommandResult, Docker, DockerError, failed
from aguante.drivers.driver import FaultError
from aguante.drivers.pumba.pumba_arguments import seed_of, seeded
from aguante.drivers.pumba.pumba_cli import TOKEN_LABEL, remove
from aguante.faults.pumba.pumba_fault import PumbaUndo

SKIP_LABEL = "com.gaiaadm.pumba.skip=true"
"""By which Pumba leaves helpers alone; it puts it on its own."""
NOT_FOUND = range(125, 128)
"""Exit codes of ``docker run`` itself: no image, not a program, no such program."""
NETEM_PROBE = ("qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
RULE_PROBE = (
    *("-A", "INPUT", "-m", "statistic", "--mode", "nth"),
    *("--every", "2", "--packet", "0", "-j", "DROP"),
)
RULES_MAX = 64
"""Equal rules that are deleted one after the other."""
NETEM_MISSING = (
    "the kernel has no netem (sch_netem, CONFIG_NET_SCH_NETEM): load it (`sudo modprobe sch_netem`; on some "
    "systems it comes with a package of extra modules), or use a toxiproxy fault or `iptables loss` instead"
)


@dataclass(frozen=True)
class Helpers:
    """Runs them.

    Args:
        docker: calls the daemon that has the containers.
        token: of the fault that they are run for.
    """

    docker: Docker
    token: str

    async def probe_netem(self, image: str) -> None:
        """Put a netem on the loopback of a throw-away namespace.

        Raises:
            FaultError: the kernel has none, or the image no ``tc``; says which, and what to do.
        """
        answer = await self._alone(image, "tc", NETEM_PROBE)
        words = answer.err + answer.out
        if answer.code and ("qdisc kind is unknown" in words or "No such file" in words):
            raise FaultError(NETEM_MISSING)
        _check(answer, f"tc of {image} cannot emulate anything")

    async def probe_iptables(self, image: str) -> None:
        """Put a rule of the kind that Pumba uses into a throw-away namespace.

        Raises:
            FaultError: the kernel has no ``statistic`` match, or the image no ``iptables``.
        """
        answer = await self._alone(image, "iptables", RULE_PROBE)
        _check(answer, f"iptables of {image} cannot drop by chance (kernel: xt_statistic)")

    async def probe_stress(self, image: str, *, same_cgroup: bool) -> None:
        """Ask stress-ng for its version, and look for what puts it into another control group.

        Raises:
            FaultError: the image lacks one of the two.
        """
        answer = await self._alone(image, "/stress-ng", ["--version"])
        _check(answer, f"{image} has no /stress-ng that runs")
        if not same_cgroup:
            return
        answer = await self._alone(image, "/cg-inject", [])
        if answer.code in NOT_FOUND:
            message = f"{image} has no /cg-inject, which same_cgroup needs: leave it out, or take another image"
            raise FaultError(message)

    async def _alone(self, image: str, program: str, arguments: Sequence[str]) -> CommandResult:
        return await self._run("none", image, program, arguments)

    async def dropped(self, undo: PumbaUndo, container: str) -> int:
        """How many packets such rules have dropped so far, by the kernel's own count.

        Raises:
            FaultError: iptables refuses.
        """
        return sum(await self._counted(undo, container))

    async def clear_rules(self, undo: PumbaUndo, container: str) -> None:
        """Delete the fault's rules in a container's namespace, as often as they are there.

        Raises:
            FaultError: iptables refuses.
        """
        if not await self._counted(undo, container):
            return  # Pumba has cleaned up, as it mostly does
        for rule in undo.rules:
            for _ in range(RULES_MAX):
                if not await self._has(undo, container, "-D", rule):
                    break

    async def find_rules(self, undo: PumbaUndo, container: str) -> list[str]:
        """The fault's rules that are still there.

        Raises:
            FaultError: iptables refuses.
        """
        if not await self._counted(undo, container):
            return []
        return [
            " ".join(rule) for rule in undo.rules if await self._has(undo, container, "-C", rule)
        ]

    async def _counted(self, undo: PumbaUndo, container: str) -> list[int]:
        """Packets dropped, by each rule that drops by chance, whosever it is."""
        answer = await self._iptables(undo, container, "-vnxL", "INPUT")
        _check(answer, f"iptables -vnxL INPUT in {container}")
        return dropped_by(answer.out)

    async def _has(self, undo: PumbaUndo, container: str, action: str, rule: Sequence[str]) -> bool:
        answer = await self._iptables(undo, container, action, *rule)
        if answer.code == 1 and "matching rule" in answer.err:
            return False
        _check(answer, f"iptables {action} {' '.join(rule)} in {container}")
        return True

    async def _iptables(self, undo: PumbaUndo, container: str, *arguments: str) -> CommandResult:
        words = ["--wait", "5", *arguments]
        return await self._run(f"container:{container}", undo.image, "iptables", words)

    async def clear_netem(self, undo: PumbaUndo, container: str) -> None:
        """Give the interface its default queueing back, where a netem hangs on it.

        Raises:
            FaultError: tc refuses.
        """
        if await self.find_netem(undo, container):
            words = ["qdisc", "del", "dev", undo.interface, "root"]
            answer = await self._run(f"container:{container}", undo.image, "tc", words)
            _check(answer, f"tc {' '.join(words)} in {container}")

    async def find_netem(self, undo: PumbaUndo, container: str) -> list[str]:
        """The netems that hang on the interface, as ``tc`` tells them.

        Raises:
            FaultError: tc refuses.
        """
        words = ["qdisc", "show", "dev", undo.interface]
        answer = await self._run(f"container:{container}", undo.image, "tc", words)
        _check(answer, f"tc {' '.join(words)} in {container}")
        return [line.strip() for line in answer.out.splitlines() if " netem " in line]

    async def left_behind(self, ids: Sequence[str]) -> list[str]:
        """Helper containers of Pumba's that share a namespace with one of these, or stress for this fault.

        Args:
            ids: of the containers that were hit.

        Raises:
            FaultError: Docker does not answer.
        """
        asked = ("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={SKIP_LABEL}")
        told = '{{.Id}} {{.HostConfig.NetworkMode}} {{join .Config.Cmd " "}}'
        try:
            helpers = (await self.docker.run(*asked)).split()
            if not helpers:
                return []
            found = await self.docker.call("container", "inspect", "--format", told, *helpers)
        except DockerError as why:
            raise FaultError(str(why)) from why
        joined = {f"container:{each}" for each in ids}
        mark = " ".join(seeded(seed_of(self.token)))
        lines = (line.split(" ", 2) for line in found.out.splitlines() if line)
        return [each[0] for each in lines if each[1] in joined or mark in each[-1]]

    async def remove_left(self, ids: Sequence[str]) -> None:
        """Remove the helper containers that Pumba left behind.

        Raises:
            FaultError: Docker does not obey.
        """
        for each in await self.left_behind(ids):
            await remove(self.docker, f"id={each}")

    async def _run(
        self, network: str, image: str, program: str, arguments: Sequence[str]
    ) -> CommandResult:
        labels = ("--label", SKIP_LABEL, "--label", f"{TOKEN_LABEL}={self.token}")
        words = ("run", "--rm", "--pull=never", *labels, "--network", network)
        try:
            return await self.docker.call(
                *words, "--cap-add", "NET_ADMIN", "--entrypoint", program, image, *arguments
            )
        except DockerError as why:
            raise FaultError(str(why)) from why


def _check(answer: CommandResult, what: str) -> None:
    if answer.code:
        why = str(failed((), answer)).partition("failed: ")[2]
        message = f"{what}: {why}"
        raise FaultError(message)


def dropped_by(listing: str) -> list[int]:
    """Packets that each rule of the ``statistic`` match dropped, of ``iptables -vnxL INPUT``."""
    found = (line.split() for line in listing.splitlines() if " statistic mode " in line)
    return [int(each[0]) for each in found if each[0].isdecimal()]
