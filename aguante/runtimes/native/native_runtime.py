"""The native runtime: services as processes, a real Toxiproxy and a real PostgreSQL, without containers.

All parts start at once, so that the slow ones (initdb, Python's imports) overlap. Services wait for their databases.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path

from aguante.run_folder.log_files import copy_logs
from aguante.runtimes.native.port_map import assign_ports, describe
from aguante.runtimes.native.process_group import ProcessGroup
from aguante.runtimes.native.service_processes import wait_ready_at
from aguante.runtimes.native.testbed_setup import (
    TestbedSetup,
    link_collector,
    one_error,
    parts_of,
    start_services,
)
from aguante.runtimes.ports import Ports, require_free
from aguante.runtimes.processes import PortTakenError, process_alive, process_state
from aguante.runtimes.sidecars import NO_SIDECARS, Sidecars
from aguante.runtimes.testbed_state import MEMORY, claim, default_parent
from aguante.testbed.runtime import (
    ONE_EACH,
    Alive,
    ProcessControl,
    ProcessState,
    Testbed,
    TestbedError,
)
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.testbed.up_arguments import check_replicas, policy_path

TRIES = 3
"""Attempts to start, each with other ports, if another program takes one of them in between."""

OnReady = Callable[[str, float], None]


def _ignore(part: str, at_s: float) -> None:
    """The default of ``on_ready``."""


class NativeRuntime:
    """Starts and ends one testbed of plain processes; a :class:`~aguante.testbed.runtime.Runtime`.

    Must be used from a thread that lives as long as the testbed: without ``detach`` the kernel ends the
    testbed's processes together with that thread.

    Args:
        parent: folder of all testbeds; None: ``AGUANTE_STATE``, or a temporary folder.
        gateway_port: port of the entry link; None: a free port.
        detach: keep the testbed running after this process, until ``aguante down``.
        relay: send the services' spans to a relay of this testbed, so that ``--attach`` can read them.
        sidecars: Prometheus and Jaeger, if wanted.
        on_ready: called when a part is ready, with its name and the seconds since ``up`` began.
    """

    docker: None = None

    def __init__(
        self,
        parent: Path | None = None,
        *,
        gateway_port: int | None = None,
        detach: bool = False,
        relay: bool = False,
        sidecars: Sidecars = NO_SIDECARS,
        on_ready: OnReady = _ignore,
    ) -> None:
        self._parent = parent
        self._gateway_port, self._detach = gateway_port, detach
        self._relay = relay
        self._sidecars = sidecars
        self._on_ready = on_ready
        self._processes: ProcessGroup | None = None
        self._setup: TestbedSetup | None = None

    async def up(
        self,
        spec: TestbedSpec,
        policy: str,
        otlp_endpoint: str,
        replicas: Mapping[str, int] = ONE_EACH,
    ) -> Testbed:
        """Start everything and wait until every service is ready; arguments and errors as for ``Runtime.up``."""
        if self._processes:
            running = self._processes.workspace.id
            message = f"testbed {running} is already up: end it before you start another"
            raise TestbedError(message)
        policy_path(spec, policy)
        check_replicas(spec, replicas)
        if self._gateway_port:
            require_free(self._gateway_port, "--gateway-port")
        for left in reversed(range(TRIES)):
            try:
                return await self._boot(spec, policy, otlp_endpoint, replicas)
            except PortTakenError:
                await self.down()
                if not left:
                    raise
            except BaseException:
                await self.down()
                raise
        raise AssertionError  # unreachable: the last try returns or raises

    async def down(self) -> None:
        """End every process and remove the private folder; idempotent, and safe after a failed ``up``.

        Raises:
            TestbedError: a process cannot be ended. The folder stays, so that the next start tries again.
        """
        processes, self._processes, self._setup = self._processes, None, None
        if processes is None:
            return
        try:
            await processes.end()
        except BaseException:
            processes.workspace.release()
            raise
        await asyncio.to_thread(processes.workspace.remove)

    async def restart_services(self, policy: str, otlp_endpoint: str) -> Testbed:
        """Restart the services with a policy; PostgreSQL and Toxiproxy keep running.

        Raises:
            TestbedError: no testbed is up, or a service did not start; the testbed is then ended.
        """
        setup = self._running()
        policy_path(setup.spec, policy)
        setup = replace(setup, policy=policy, otlp_endpoint=otlp_endpoint).with_linked_collector()
        try:
            await setup.processes.end(frozenset(each.name for each in setup.port_map.instances))
            setup.processes.testbed = None
            with one_error():
                await link_collector(setup)
                await start_services(setup)
            return self._finish(setup)
        except BaseException:
            await self.down()
            raise

    @property
    def testbed(self) -> Testbed:
        """The testbed in its current state, with the pids of the processes started last.

        Raises:
            TestbedError: no testbed is up.
        """
        testbed = self._running().processes.testbed
        assert testbed is not None  # noqa: S101 - ``_finish`` sets both
        return testbed

    @property
    def control(self) -> ProcessControl:
        """The runtime itself, which can restart the processes that it started."""
        return self

    def parts(self) -> Mapping[str, Alive]:
        """Toxiproxy and PostgreSQL, by pid."""
        return {name: process_alive(pid) for name, pid in self.testbed.servers.items()}

    async def save_logs(self, target: Path) -> None:
        """Copy the end of each process's log; raises OSError."""
        await asyncio.to_thread(copy_logs, self.testbed.state / "logs", target)

    async def state(self, instance: str) -> ProcessState:
        """Return the state that the operating system reports; raises TestbedError for an unknown instance."""
        return process_state(self._processes_with(instance).child(instance).ref)

    async def kill(self, instance: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal that ends one process of a service (``payments-1``), and wait for its end.

        Raises:
            TestbedError: there is no such instance, or it survived SIGKILL.
        """
        await self._processes_with(instance).kill(instance, how)

    async def start(self, instance: str, *, wait_ready: bool = True) -> Testbed:
        """Start an ended instance again: same addresses, same environment, a new pid.

        Args:
            instance: ``payments-1``.
            wait_ready: wait until its readiness check returns 200.

        Returns:
            The testbed with the new pid.

        Raises:
            TestbedError: there is no such instance, it is running, or it did not start (the testbed stays up).
        """
        processes = self._processes_with(instance)
        old = processes.child(instance)
        if old.ref.alive():
            message = (
                f"{instance} (pid {old.ref.pid}) is running: kill it before you start it again"
            )
            raise TestbedError(message)
        child = processes.start(old.command)
        testbed = self._finish(self._running())
        if wait_ready:
            at = testbed.service(instance)
            await wait_ready_at(child, at.url + self._running().spec.ready_paths[at.name])
        return testbed

    async def pause(self, instance: str) -> None:
        """Send SIGSTOP: the kernel still accepts connections, but nothing responds.

        Raises:
            TestbedError: there is no such instance, or it has ended.
        """
        await self._processes_with(instance).pause(instance)

    async def resume(self, instance: str) -> None:
        """Send SIGCONT; raises as ``pause`` does."""
        await self._processes_with(instance).resume(instance)

    @contextlib.asynccontextmanager
    async def running(
        self,
        spec: TestbedSpec,
        policy: str,
        otlp_endpoint: str = "",
        replicas: Mapping[str, int] = ONE_EACH,
    ) -> AsyncIterator[Testbed]:
        """Keep a testbed up during the body of ``async with``; arguments and errors as for ``up``."""
        testbed = await self.up(spec, policy, otlp_endpoint, replicas)
        try:
            yield testbed
        finally:
            await self.down()

    async def _boot(
        self, spec: TestbedSpec, policy: str, otlp_endpoint: str, replicas: Mapping[str, int]
    ) -> Testbed:
        began = time.monotonic()

        async def timed(name: str, part: Coroutine[None, None, None]) -> None:
            await part
            self._on_ready(name, time.monotonic() - began)

        # A detached testbed may live and grow for days, so its data is on the disk.
        memory = None if self._detach else MEMORY
        workspace = await claim(self._parent or default_parent(), memory=memory)
        processes = self._processes = ProcessGroup(workspace, detach=self._detach)
        processes.save()
        ports, wanted = Ports(workspace.slot), self._sidecars
        port_map = assign_ports(
            spec, ports, self._gateway_port, replicas, relay=self._relay, sidecars=wanted
        )
        setup = TestbedSetup(
            processes, spec, port_map, policy, otlp_endpoint, wanted
        ).with_linked_collector()
        with one_error():
            async with asyncio.TaskGroup() as group:
                for name, start in parts_of(setup).items():
                    group.create_task(timed(name, start(setup)))
        testbed = self._finish(setup)
        if self._detach:
            workspace.release()  # its processes have inherited the lock and keep it
        return testbed

    def _finish(self, setup: TestbedSetup) -> Testbed:
        testbed = describe(
            setup.spec,
            setup.port_map,
            setup.processes.workspace,
            setup.policy,
            setup.processes.refs,
        )
        self._setup, setup.processes.testbed = setup, testbed
        setup.processes.save()
        return testbed

    def _running(self) -> TestbedSetup:
        if self._setup is None:
            message = "no testbed is up: call up() first"
            raise TestbedError(message)
        return self._setup

    def _processes_with(self, instance: str) -> ProcessGroup:
        """Return the process group, if ``instance`` is a service: Toxiproxy and PostgreSQL cannot be killed."""
        self.testbed.service(instance)
        return self._running().processes
