"""The native runtime: each service a process, a real Toxiproxy, a real PostgreSQL; no containers.

Everything is started at once: services wait for their database by themselves, so the order does not
matter and the two slow parts (initdb, Python's imports) overlap.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

from aguante.runtimes.base import Testbed, TestbedError
from aguante.runtimes.ending import take_down
from aguante.runtimes.layout import Layout, describe, lay_out
from aguante.runtimes.ports import Ports, require_free
from aguante.runtimes.postgres import Postgres
from aguante.runtimes.processes import Child, Command, PortTakenError, reap, spawn, this_process
from aguante.runtimes.proxies import start_toxiproxy
from aguante.runtimes.services import (
    instance_of,
    service_command,
    service_environment,
    start_services,
    starting_at_once,
)
from aguante.runtimes.state import MEMORY, SavedState, Workspace, claim, default_parent
from aguante.testbed import TestbedSpec

TRIES = 3
"""With other ports each time, when another program was faster with one of them."""

Observe = Callable[[str, float], None]


def _ignore(part: str, at_s: float) -> None:
    """Nobody asked how long the parts took."""


class NativeRuntime:
    """Starts and ends one testbed of plain processes; a :class:`~aguante.runtimes.base.Runtime`.

    Must be used from a thread that lives as long as the testbed: without ``detach`` the kernel ends the
    testbed's processes together with that thread.

    Args:
        parent: folder of all testbeds; ``AGUANTE_STATE`` or a temporary one when None.
        gateway_port: where the entry link listens; a free port when None.
        detach: the testbed outlives this process, until ``aguante down``.
        observe: told when a part got ready, seconds since ``up`` began.
    """

    def __init__(
        self,
        parent: Path | None = None,
        *,
        gateway_port: int | None = None,
        detach: bool = False,
        observe: Observe = _ignore,
    ) -> None:
        self._parent = parent
        self._gateway_port = gateway_port
        self._detach = detach
        self._observe = observe
        self._workspace: Workspace | None = None
        self._children: list[Child] = []
        self._up: _Up | None = None

    async def up(self, spec: TestbedSpec, policy: str, otlp_endpoint: str) -> Testbed:
        """Start everything and wait until it can serve.

        Args:
            spec: what to start.
            policy: name of a policy in ``spec.policies``.
            otlp_endpoint: base address of an OTLP/HTTP collector, or empty for no traces.

        Raises:
            TestbedError: something did not come up; all that had been started is taken down again.
        """
        if self._workspace:
            message = f"testbed {self._workspace.id} is up already: end it before starting another"
            raise TestbedError(message)
        _policy_file(spec, policy)
        if self._gateway_port:
            require_free(self._gateway_port, "--gateway-port")
        for left in reversed(range(TRIES)):
            try:
                return await self._boot(spec, policy, otlp_endpoint)
            except PortTakenError:
                await self.down()
                if not left:
                    raise
            except BaseException:
                await self.down()
                raise
        raise AssertionError  # not reached: the last try returns or raises

    async def down(self) -> None:
        """End every process and remove the private folder; idempotent, and safe after a failed ``up``.

        Raises:
            TestbedError: a process cannot be ended. Its folder stays, for the next start to try again.
        """
        workspace, self._workspace = self._workspace, None
        if workspace is None:
            return
        children, self._children, self._up = self._children, [], None
        try:
            await take_down([child.ref for child in children])
        except BaseException:
            workspace.release()
            raise
        await reap(children)
        await asyncio.to_thread(workspace.remove)

    async def restart_services(self, policy: str, otlp_endpoint: str) -> Testbed:
        """End the services and start them anew, with a policy; PostgreSQL and Toxiproxy stay as they are.

        Raises:
            TestbedError: no testbed is up, or a service did not come up: the testbed is taken down.
        """
        up = self._up
        if up is None:
            message = "no testbed is up whose services could be restarted"
            raise TestbedError(message)
        _policy_file(up.spec, policy)
        instances = {instance_of(service) for service in up.spec.services}
        try:
            old = [child for child in self._children if child.ref.name in instances]
            await take_down([child.ref for child in old])
            await reap(old)
            self._children = [child for child in self._children if child not in old]
            with _one_error():
                await self._services(up.workspace, up.spec, up.layout, policy, otlp_endpoint)
            return self._finish(up.workspace, up.spec, up.layout, policy)
        except BaseException:
            await self.down()
            raise

    @contextlib.asynccontextmanager
    async def running(
        self, spec: TestbedSpec, policy: str, otlp_endpoint: str = ""
    ) -> AsyncIterator[Testbed]:
        """A testbed for the time of the body; arguments and errors as for ``up``."""
        testbed = await self.up(spec, policy, otlp_endpoint)
        try:
            yield testbed
        finally:
            await self.down()

    async def _boot(self, spec: TestbedSpec, policy: str, otlp_endpoint: str) -> Testbed:
        began = time.monotonic()

        async def observed(name: str, part: Coroutine[None, None, None]) -> None:
            await part
            self._observe(name, time.monotonic() - began)

        # A detached testbed may live and grow for days: on the disk.
        memory = None if self._detach else MEMORY
        workspace = await claim(self._parent or default_parent(), memory=memory)
        self._workspace = workspace
        self._save(workspace, None)
        layout = lay_out(spec, Ports(workspace.slot), self._gateway_port)
        services = self._services(workspace, spec, layout, policy, otlp_endpoint)
        with _one_error():
            async with asyncio.TaskGroup() as group:
                group.create_task(observed("postgres", self._postgres(workspace, layout, spec)))
                group.create_task(observed("toxiproxy", self._toxiproxy(workspace, layout)))
                group.create_task(observed("services", services))
        testbed = self._finish(workspace, spec, layout, policy)
        if self._detach:
            workspace.release()  # its processes inherited the lock and hold it from here on
        return testbed

    async def _postgres(self, workspace: Workspace, layout: Layout, spec: TestbedSpec) -> None:
        data, log = workspace.data.resolve() / "postgres", workspace.logs / "postgres.log"
        server = Postgres(data, log, self._starter(workspace))
        await server.up(layout.postgres, [database.name for database in spec.databases])

    async def _toxiproxy(self, workspace: Workspace, layout: Layout) -> None:
        log, links = workspace.logs / "toxiproxy.log", tuple(layout.links.values())
        await start_toxiproxy(layout.toxiproxy, log, self._starter(workspace), links)

    async def _services(
        self,
        workspace: Workspace,
        spec: TestbedSpec,
        layout: Layout,
        policy: str,
        otlp_endpoint: str,
    ) -> None:
        start, file = self._starter(workspace), _policy_file(spec, policy)
        commands = []
        for service in spec.services:
            env = service_environment(spec, service, layout.links, file, otlp_endpoint)
            log = workspace.logs / f"{instance_of(service)}.log"
            command = service_command(spec, service, layout.services[service.name], env, log)
            commands.append((command, layout.url(service.name)))
        await start_services(commands, start, starting_at_once())

    def _starter(self, workspace: Workspace) -> Callable[[Command], Child]:
        def start(command: Command) -> Child:
            # Released already (a restart of services): PostgreSQL and Toxiproxy go on holding it.
            keep = (workspace.lock,) if self._detach and workspace.lock >= 0 else ()
            child = spawn(command, die_with_parent=not self._detach, keep_open=keep)
            self._children.append(child)
            self._save(workspace, None)
            return child

        return start

    def _finish(
        self, workspace: Workspace, spec: TestbedSpec, layout: Layout, policy: str
    ) -> Testbed:
        processes = {child.ref.name: child.ref for child in self._children}
        testbed = describe(spec, layout, workspace, policy, processes)
        self._up = _Up(workspace, spec, layout)
        self._save(workspace, testbed)
        return testbed

    def _save(self, workspace: Workspace, testbed: Testbed | None) -> None:
        workspace.save(
            SavedState(
                id=workspace.id,
                owner=this_process("runner"),
                detached=self._detach,
                processes=tuple(child.ref for child in self._children),
                testbed=testbed,
            )
        )


@dataclass(frozen=True)
class _Up:
    """What a testbed that is up was made of."""

    workspace: Workspace
    spec: TestbedSpec
    layout: Layout


def _policy_file(spec: TestbedSpec, policy: str) -> Path:
    file = spec.policies / f"{policy}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(each.stem for each in spec.policies.glob("*.yaml"))) or "none"
        message = f"there is no policy {policy!r} in {spec.policies}; there are: {known}"
        raise TestbedError(message)
    return file.resolve()


@contextlib.contextmanager
def _one_error() -> Iterator[None]:
    """Of a task group's errors raise one TestbedError: a port taken if any (another try mends it)."""
    try:
        yield
    except BaseExceptionGroup as group:
        errors = _flat(group)
        if not all(isinstance(each, TestbedError) for each in errors):
            raise  # a fault of ours: all of it is wanted
        raise next(
            (each for each in errors if isinstance(each, PortTakenError)), errors[0]
        ) from None


def _flat(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    flat: list[BaseException] = []
    for each in group.exceptions:
        flat += _flat(each) if isinstance(each, BaseExceptionGroup) else [each]
    return flat
