"""Helper containers: they read the network namespace of a container, and clear what Pumba left there.

Pumba itself works with such containers. A Pumba that is killed leaves them behind, with the rules that they set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aguante.clients.docker_cli import CommandResult, Docker, failed
from aguante.drivers.driver import FaultError
from aguante.drivers.pumba.pumba_arguments import seed_of, seeded
from aguante.drivers.pumba.pumba_cli import TOKEN_LABEL, remove
from aguante.faults.pumba.pumba_fault import PumbaUndo

SKIP_LABEL = "com.gaiaadm.pumba.skip=true"
"""Makes Pumba ignore a container; Pumba labels its own helpers so."""
NOT_FOUND = range(125, 128)
"""Exit codes of ``docker run`` itself: no image, not a program, no such program."""
NETEM_PROBE = ("qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
RULE_PROBE = (
    *("-A", "INPUT", "-m", "statistic", "--mode", "nth"),
    *("--every", "2", "--packet", "0", "-j", "DROP"),
)
RULES_MAX = 64
"""At most so many equal rules are deleted, one after the other."""
NETEM_MISSING = (
    "the kernel has no netem (sch_netem, CONFIG_NET_SCH_NETEM): load it (`sudo modprobe sch_netem`; on some "
    "systems it comes with a package of extra modules), or use a toxiproxy fault or `iptables loss` instead"
)


@dataclass(frozen=True)
class Helpers:
    """Runs helper containers. Every method raises DockerError when Docker fails.

    Args:
        docker: calls the daemon that runs the containers.
        token: of the fault.
    """

    docker: Docker
    token: str

    async def probe_netem(self, image: str) -> None:
        """Set a netem on the loopback interface of a temporary namespace.

        Raises:
            FaultError: the kernel has no netem, or the image no ``tc``; says which, and what to do.
        """
        answer = await self._alone(image, "tc", NETEM_PROBE)
        words = answer.err + answer.out
        if answer.code and ("qdisc kind is unknown" in words or "No such file" in words):
            raise FaultError(NETEM_MISSING)
        _check(answer, f"tc of {image} cannot emulate anything")

    async def probe_iptables(self, image: str) -> None:
        """Add a rule of the kind that Pumba uses to a temporary namespace.

        Raises:
            FaultError: the kernel has no ``statistic`` match, or the image no ``iptables``.
        """
        answer = await self._alone(image, "iptables", RULE_PROBE)
        _check(answer, f"iptables of {image} cannot drop by chance (kernel: xt_statistic)")

    async def probe_stress(self, image: str, *, same_cgroup: bool) -> None:
        """Run stress-ng, and the program that moves it into another control group if that is needed.

        Raises:
            FaultError: the image lacks one of the two.
        """
        answer = await self._alone(image, "/stress-ng", ["--version"])
        _check(answer, f"{image} has no /stress-ng that runs")
        if not same_cgroup:
            return
        answer = await self._alone(image, "/cg-inject", [])
        if answer.code in NOT_FOUND:
            message = f"{image} has no /cg-inject, which same_cgroup needs: leave it out, or use another image"
            raise FaultError(message)

    async def _alone(self, image: str, program: str, arguments: Sequence[str]) -> CommandResult:
        return await self._run("none", image, program, arguments)

    async def dropped(self, undo: PumbaUndo, container: str) -> int:
        """How many packets such rules have dropped so far, as the kernel counts.

        Raises:
            FaultError: iptables fails.
        """
        return sum(await self._counted(undo, container))

    async def clear_rules(self, undo: PumbaUndo, container: str) -> None:
        """Delete the fault's rules in a container's namespace, including duplicates.

        Raises:
            FaultError: iptables fails.
        """
        if not await self._counted(undo, container):
            return  # Pumba has cleaned up, as it usually does
        for rule in undo.rules:
            for _ in range(RULES_MAX):
                if not await self._has(undo, container, "-D", rule):
                    break

    async def find_rules(self, undo: PumbaUndo, container: str) -> list[str]:
        """The fault's rules that still exist.

        Raises:
            FaultError: iptables fails.
        """
        if not await self._counted(undo, container):
            return []
        return [
            " ".join(rule) for rule in undo.rules if await self._has(undo, container, "-C", rule)
        ]

    async def _counted(self, undo: PumbaUndo, container: str) -> list[int]:
        """Packets dropped by each rule that drops by chance, of this fault or not."""
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
        """Restore the default queueing of the interface if it has a netem.

        Raises:
            FaultError: tc fails.
        """
        if await self.find_netem(undo, container):
            words = ["qdisc", "del", "dev", undo.interface, "root"]
            answer = await self._run(f"container:{container}", undo.image, "tc", words)
            _check(answer, f"tc {' '.join(words)} in {container}")

    async def find_netem(self, undo: PumbaUndo, container: str) -> list[str]:
        """The netems of the interface, as ``tc`` lists them.

        Raises:
            FaultError: tc fails.
        """
        words = ["qdisc", "show", "dev", undo.interface]
        answer = await self._run(f"container:{container}", undo.image, "tc", words)
        _check(answer, f"tc {' '.join(words)} in {container}")
        return [line.strip() for line in answer.out.splitlines() if " netem " in line]

    async def left_behind(self, ids: Sequence[str]) -> list[str]:
        """Pumba's helper containers that share a namespace with one of these, or that stress for this fault.

        Args:
            ids: of the containers that the fault acts on.
        """
        listing = ("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={SKIP_LABEL}")
        fields = '{{.Id}} {{.HostConfig.NetworkMode}} {{join .Config.Cmd " "}}'
        helpers = (await self.docker.run(*listing)).split()
        if not helpers:
            return []
        found = await self.docker.call("container", "inspect", "--format", fields, *helpers)
        joined = {f"container:{each}" for each in ids}
        mark = " ".join(seeded(seed_of(self.token)))
        lines = (line.split(" ", 2) for line in found.out.splitlines() if line)
        return [each[0] for each in lines if each[1] in joined or mark in each[-1]]

    async def remove_left(self, ids: Sequence[str]) -> None:
        """Remove the helper containers that Pumba left behind."""
        for each in await self.left_behind(ids):
            await remove(self.docker, f"id={each}")

    async def _run(
        self, network: str, image: str, program: str, arguments: Sequence[str]
    ) -> CommandResult:
        labels = ("--label", SKIP_LABEL, "--label", f"{TOKEN_LABEL}={self.token}")
        words = ("run", "--rm", "--pull=never", *labels, "--network", network)
        return await self.docker.call(
            *words, "--cap-add", "NET_ADMIN", "--entrypoint", program, image, *arguments
        )


def _check(answer: CommandResult, what: str) -> None:
    if answer.code:
        why = str(failed((), answer)).partition("failed: ")[2]
        message = f"{what}: {why}"
        raise FaultError(message)


def dropped_by(listing: str) -> list[int]:
    """Packets dropped by each rule with the ``statistic`` match, from the output of ``iptables -vnxL INPUT``."""
    found = (line.split() for line in listing.splitlines() if " statistic mode " in line)
    return [int(each[0]) for each in found if each[0].isdecimal()]
