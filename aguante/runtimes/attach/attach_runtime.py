"""The attach runtime: uses a testbed that already runs for one run, and leaves it unchanged.

First it checks the testbed: the links of testbed.yaml, the experiment's policy and replicas, proxies without faults,
and a relay of spans. It never starts, restarts or ends the testbed.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from aguante.clients.docker_cli import Docker
from aguante.clients.docker_project import save_logs
from aguante.clients.toxiproxy_client import ToxiproxyClient, ToxiproxyError
from aguante.core.file_lock import try_lock
from aguante.run_folder.log_files import copy_logs
from aguante.runtimes.attach.find_testbed import find_testbed_of
from aguante.runtimes.attach.policy_match import difference, read_policy
from aguante.runtimes.compose.docker_control import ContainerControl, ContainerWatch
from aguante.runtimes.processes import process_alive
from aguante.runtimes.testbed_state import default_parent, make_private
from aguante.testbed.runtime import ONE_EACH, Alive, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.testbed.up_arguments import policy_path

POLICY_LIMIT_S = 5.0


class AttachRuntime:
    """Attaches to one running testbed; a :class:`~aguante.testbed.runtime.Runtime`.

    Args:
        which: the id of a testbed, a Compose project, a file with the output of ``aguante up --json``, or
            ``-`` for the same on stdin; empty: the only running testbed.
        parent: folder of all testbeds; None: ``AGUANTE_STATE``, or a temporary folder.
        docker: calls Docker.
    """

    def __init__(
        self, which: str = "", *, parent: Path | None = None, docker: Docker | None = None
    ) -> None:
        self._which = which
        self._parent = parent
        self._docker = docker or Docker()
        self._testbed: Testbed | None = None
        self._services: frozenset[str] = frozenset()
        self._watch = ContainerWatch(self._docker)
        self._control: ContainerControl | None = None
        self._lock = -1

    @property
    def control(self) -> ContainerControl | None:
        """Control over containers; None for plain processes, which only their own runtime can restart."""
        return self._control

    @property
    def docker(self) -> Docker | None:
        """What calls Docker for a testbed of containers; None: it runs as plain processes, or is not attached yet."""
        return self._control.docker if self._control else None

    def parts(self) -> Mapping[str, Alive]:
        """Liveness of Toxiproxy and PostgreSQL, as containers or by pid."""
        if self._testbed is None or self._testbed.runtime == "compose":
            return self._watch.parts
        return {name: process_alive(pid) for name, pid in self._testbed.servers.items()}

    async def save_logs(self, target: Path) -> None:
        """Write the end of every process's log, including output before this run; raises TestbedError or OSError."""
        if self._testbed is None:
            return
        if self._testbed.runtime == "compose":
            containers = await self._docker.containers(self._testbed.id)
            await save_logs(self._docker, containers, self._services, target)
        else:
            await asyncio.to_thread(copy_logs, self._testbed.state / "logs", target)

    async def up(
        self,
        spec: TestbedSpec,
        policy: str,
        otlp_endpoint: str,
        replicas: Mapping[str, int] = ONE_EACH,
    ) -> Testbed:
        """Find the testbed, and check that it fits the experiment. Starts nothing.

        Args:
            spec: the system that it must run.
            policy: the policy that its services must run with.
            otlp_endpoint: not used: its services post their spans to its relay.
            replicas: the replicas that it must have, by service; a service that is not listed must have one.

        Raises:
            TestbedError: there is no such testbed, it does not fit, another run uses it, or it already has a
                fault. It has not been changed.
        """
        file = policy_path(spec, policy)
        parent = self._parent or default_parent()
        make_private(parent)
        try:
            found = await find_testbed_of(self._which, spec, parent, self._docker)
            testbed = self._testbed = found.model_copy(update={"policy": policy})
            self._services = frozenset(each.name for each in spec.services)
            self._take(parent, testbed.id)
            check_shape(spec, testbed, replicas)
            await check_policies(testbed, policy, file)
            await check_no_fault(testbed)
            if testbed.runtime == "compose":
                await self._reach_containers(spec, testbed)
        except BaseException:
            await self.down()
            raise
        return testbed

    async def down(self) -> None:
        """Detach from the testbed, which keeps running; idempotent."""
        self._testbed, self._control = None, None
        await self._watch.end()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def _reach_containers(self, spec: TestbedSpec, testbed: Testbed) -> None:
        self._control = ContainerControl(self._docker, spec, testbed)
        containers = await self._docker.containers(testbed.id)
        await self._watch.begin(
            {each.service: each.name for each in containers if each.service in testbed.servers}
        )

    def _take(self, parent: Path, testbed_id: str) -> None:
        """Lock the testbed: two runs at the same time would observe each other's faults."""
        lock = try_lock(parent / f"attach-{testbed_id}.lock")
        if lock is None:
            message = (
                f"another run is attached to testbed {testbed_id}: wait until it ends, or start another testbed "
                "(`aguante up --detach`)"
            )
            raise TestbedError(message)
        self._lock = lock


def check_shape(spec: TestbedSpec, testbed: Testbed, replicas: Mapping[str, int]) -> None:
    """Check links, services, replicas and the relay of spans, without which no failure can be attributed. Pure.

    Raises:
        TestbedError: one of them does not fit the experiment.
    """
    have, want = {each.name for each in testbed.links}, {each.name for each in spec.links}
    if want - have:
        message = (
            f"testbed {testbed.id} has no link {', '.join(sorted(want - have))}: it does not run {spec.name}; "
            "name the testbed.yaml that it was started from (--testbed)"
        )
        raise TestbedError(message)
    for service in spec.services:
        found = sum(each.name == service.name for each in testbed.services)
        wanted = replicas.get(service.name, 1)
        if found != wanted:
            message = (
                f"testbed {testbed.id} runs {found} of {service.name}, the experiment needs {wanted}: start the "
                f"testbed with {wanted} (`aguante up --replicas {service.name}={wanted}`), or omit --attach"
            )
            raise TestbedError(message)
    if not testbed.telemetry:
        message = (
            f"testbed {testbed.id} has no relay of spans, so failures could not be attributed: start the testbed "
            "with `aguante up` or from docker-compose.yml, which include a relay"
        )
        raise TestbedError(message)


async def check_policies(testbed: Testbed, policy: str, file: Path) -> None:
    """Check that every instance runs with the experiment's policy; an instance without ``/policy`` is not checked.

    Raises:
        TestbedError: an instance has another policy; names it and the first difference.
    """
    wanted = read_policy(file)
    limit = aiohttp.ClientTimeout(total=POLICY_LIMIT_S)
    async with aiohttp.ClientSession(timeout=limit) as session:
        for each in testbed.services:
            actual = await _policy_of(session, each.url)
            found = "" if actual is None else difference(wanted, actual)
            if found:
                message = (
                    f"{each.instance} does not run with policy {policy}: {found}. Start the testbed with it "
                    f"(`aguante up --policy {policy}`, or AGUANTE_POLICY={policy} docker compose up --wait), "
                    "or choose the policy that it runs with (--policy)"
                )
                raise TestbedError(message)


async def check_no_fault(testbed: Testbed) -> None:
    """Check that no fault is active.

    Raises:
        TestbedError: a proxy is disabled or has a toxic, or Toxiproxy does not respond.
    """
    try:
        proxies = await asyncio.to_thread(ToxiproxyClient(testbed.toxiproxy).proxies)
    except ToxiproxyError as why:
        message = f"Toxiproxy of testbed {testbed.id} does not respond: {why}"
        raise TestbedError(message) from why
    broken = [
        f"{name} {'has ' + proxy.toxics[0].name if proxy.toxics else 'is disabled'}"
        for name, proxy in sorted(proxies.items())
        if proxy.toxics or not proxy.enabled
    ]
    if broken:
        message = (
            f"testbed {testbed.id} already has a fault: {', '.join(broken)}; `aguante heal` removes it, or "
            "`aguante recover` after a killed run"
        )
        raise TestbedError(message)


async def _policy_of(session: aiohttp.ClientSession, url: str) -> object:
    """Return the body of ``/policy``; None if the service has no such path, or returns no JSON."""
    try:
        async with session.get(f"{url}/policy") as response:
            if response.status == 404:
                return None
            response.raise_for_status()
            policy: object = await response.json(content_type=None)
            return policy
    except ValueError:
        return None
    except (aiohttp.ClientError, TimeoutError) as why:
        message = f"{url}/policy did not respond ({type(why).__name__}: {why}): is the testbed up?"
        raise TestbedError(message) from why
