"""Applies faults on a link through Toxiproxy's API: toxics and ``down``.

Toxiproxy draws ``toxicity`` once per connection and direction: a kept-alive connection is affected for its whole
life or not at all.

When a toxic is removed, Toxiproxy flushes the data that the toxic holds back. It waits 5 s for each chunk whose
reader is gone, and meanwhile the proxy accepts no connection. With ``latency`` and callers that time out, which is
the usual case, ten chunks took more than 20 s. Such a toxic is therefore first made harmless in place: that flushes
without waiting and ends the fault at once, and the connections of readers that are gone then close by themselves.
Removal still has a longer limit than other calls, and is read back.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from aguante.clients.toxiproxy_client import (
    CALL_LIMIT_S,
    AlreadyThereError,
    NoAnswerError,
    NotThereError,
    ProxyState,
    ToxicState,
    ToxiproxyClient,
    ToxiproxyError,
)
from aguante.drivers.driver import FaultError, as_fault_error
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import DOWN, ToxiproxyFault, ToxiproxyUndo

REMOVAL_LIMIT_S = 20.0
READ_BACK_EVERY_S = 0.25
HARMLESS_FOR_S = 0.1
"""Time between making a toxic harmless and removing it, in which connections without a reader close."""

_HARMLESS = {
    "latency": {"latency": 0, "jitter": 0},
    "bandwidth": {"rate": 10_000_000},
}
"""The toxics that hold data back for long, with attributes that make them pass it at once."""


class ToxiproxyDriver:
    """A :class:`~aguante.drivers.driver.FaultDriver` for the proxies of one Toxiproxy.

    Args:
        api: base URL of Toxiproxy's API.
        run_id: prefix of every toxic's name, so that a leftover toxic names its run.
        call_limit_s: limit of one API call.
        removal_limit_s: limit of one removal, reading back included.
        sleep: waits between two reads back.
    """

    def __init__(
        self,
        api: str,
        run_id: str,
        *,
        call_limit_s: float = CALL_LIMIT_S,
        removal_limit_s: float = REMOVAL_LIMIT_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = ToxiproxyClient(api, call_limit_s)
        self._run_id = run_id
        self._removal_limit_s = removal_limit_s
        self._sleep = sleep

    async def prepare(self, fault: PlannedFault) -> ToxiproxyUndo:
        """Check target and values, and return the state to restore. Changes nothing.

        Raises:
            FaultError: no such proxy, a proxy that is already disabled, or values that would harm Toxiproxy.
        """
        wanted = fault.of(ToxiproxyFault)
        problems = wanted.problems()
        if problems:
            message = f"fault {fault.id} on {wanted.link}: {'; '.join(map(str, problems))}"
            raise FaultError(message)
        proxy = await self._read(wanted.link, f"fault {fault.id}")
        if not proxy.enabled:
            message = (
                f"fault {fault.id}: the proxy {wanted.link} was disabled before anything was injected; "
                f"enable it, or start a new testbed"
            )
            raise FaultError(message)
        return ToxiproxyUndo(
            fault_id=fault.id,
            api=self._client.api,
            proxy=wanted.link,
            toxic="" if wanted.toxic == DOWN else self._name(fault.id),
        )

    async def apply(self, fault: PlannedFault) -> None:
        """Add the toxic to the link, or disable the link. A toxic of the same fault is updated.

        Raises:
            FaultError: it was refused, or no answer came in time.
        """
        wanted = fault.of(ToxiproxyFault)
        with as_fault_error(
            f"fault {fault.id} could not be applied to {wanted.link}", ToxiproxyError
        ):
            if wanted.toxic == DOWN:
                await asyncio.to_thread(self._client.set_enabled, wanted.link, False)
                return
            toxic = self._toxic(fault.id, wanted)
            try:
                await asyncio.to_thread(self._client.add_toxic, wanted.link, toxic)
            except AlreadyThereError:
                await asyncio.to_thread(self._client.update_toxic, wanted.link, toxic)

    async def undo(self, undo: ToxiproxyUndo) -> None:
        """Enable the proxy (after ``down``) or remove the toxic; idempotent.

        The undo of a toxic does not change ``enabled``, since another fault may keep the same link down.

        Raises:
            FaultError: it could not be restored in time.
        """
        client = self._client_of(undo)
        with as_fault_error(
            f"fault {undo.fault_id} could not be undone on {undo.proxy}", ToxiproxyError
        ):
            if undo.toxic:
                await self._remove(undo, client)
            else:
                await asyncio.to_thread(client.set_enabled, undo.proxy, True)

    async def _remove(self, undo: ToxiproxyUndo, client: ToxiproxyClient) -> None:
        deadline = time.monotonic() + self._removal_limit_s
        try:
            await self._soften(undo, client)
            await asyncio.to_thread(client.remove_toxic, undo.proxy, undo.toxic)
        except NotThereError:
            return
        except NoAnswerError:
            await self._await_removal(undo, client, deadline)

    async def _soften(self, undo: ToxiproxyUndo, client: ToxiproxyClient) -> None:
        """Make a toxic harmless in place, so that its removal has nothing to wait for.

        Raises:
            ToxiproxyError: as :meth:`undo` handles it.
        """
        proxy = await asyncio.to_thread(client.proxy, undo.proxy)
        toxic = proxy.toxic(undo.toxic)
        if toxic is None:
            message = f"{undo.proxy} has no toxic {undo.toxic}"
            raise NotThereError(message)
        if toxic.type in _HARMLESS:
            harmless = toxic.model_copy(update={"attributes": _HARMLESS[toxic.type]})
            with contextlib.suppress(NoAnswerError):  # removal is tried anyway
                await asyncio.to_thread(client.update_toxic, undo.proxy, harmless)
            await self._sleep(HARMLESS_FOR_S)

    async def verify(self, undo: ToxiproxyUndo) -> None:
        """Read back that the proxy is enabled (after ``down``), or that the toxic is gone.

        Raises:
            FaultError: it is not, or it could not be read.
        """
        with as_fault_error(
            f"fault {undo.fault_id} could not be verified as undone", ToxiproxyError
        ):
            proxy = await asyncio.to_thread(self._client_of(undo).proxy, undo.proxy)
        if undo.toxic and proxy.toxic(undo.toxic):
            message = (
                f"fault {undo.fault_id} is still active: {undo.toxic} is on {undo.proxy}; remove it by "
                f"DELETE {undo.api}/proxies/{undo.proxy}/toxics/{undo.toxic}"
            )
            raise FaultError(message)
        if not undo.toxic and not proxy.enabled:
            message = (
                f"fault {undo.fault_id} is still active: {undo.proxy} is disabled; enable it by "
                f'POST {undo.api}/proxies/{undo.proxy} {{"enabled": true}}'
            )
            raise FaultError(message)

    async def evidence(self, fault: PlannedFault) -> str:
        """The proxy and this fault's toxic as Toxiproxy reports them, or why they are not known."""
        try:
            proxy = await asyncio.to_thread(self._client.proxy, fault.target)
        except ToxiproxyError as why:
            return f"{fault.target}: not known: {why}"
        return _described(proxy, self._name(fault.id), fault.variant == DOWN)

    async def _await_removal(
        self, undo: ToxiproxyUndo, client: ToxiproxyClient, deadline: float
    ) -> None:
        """Read back until the toxic is gone: Toxiproxy continues to remove it after a call has timed out."""
        last = "the toxic is still there"
        while time.monotonic() < deadline:
            try:
                proxy = await asyncio.to_thread(client.proxy, undo.proxy)
            except ToxiproxyError as why:
                last = str(why)
            else:
                if proxy.toxic(undo.toxic) is None:
                    return
            await self._sleep(READ_BACK_EVERY_S)
        message = (
            f"fault {undo.fault_id}: Toxiproxy did not remove {undo.toxic} from {undo.proxy} within "
            f"{self._removal_limit_s:.0f} s ({last}); restart the testbed, since this proxy may be stuck"
        )
        raise FaultError(message)

    async def _read(self, link: str, who: str) -> ProxyState:
        with as_fault_error(who, ToxiproxyError):
            try:
                return await asyncio.to_thread(self._client.proxy, link)
            except NotThereError as why:
                known = await asyncio.to_thread(self._client.proxies)
                message = f"{who}: there is no proxy {link}; there are {', '.join(sorted(known))}"
                raise FaultError(message) from why

    def _client_of(self, undo: ToxiproxyUndo) -> ToxiproxyClient:
        """The Toxiproxy that the undo names, since another run may heal what a killed one left."""
        return (
            self._client
            if undo.api == self._client.api
            else ToxiproxyClient(undo.api, self._client.timeout_s)
        )

    def _name(self, fault_id: str) -> str:
        return f"{self._run_id}.{fault_id}"

    def _toxic(self, fault_id: str, wanted: ToxiproxyFault) -> ToxicState:
        return ToxicState(
            name=self._name(fault_id),
            type=wanted.toxic,
            stream=wanted.stream,
            toxicity=wanted.toxicity,
            attributes=wanted.complete(),
        )


def _described(proxy: ProxyState, name: str, down: bool) -> str:
    state = f"{proxy.name}: {'enabled' if proxy.enabled else 'disabled'}"
    if down:
        return state
    toxic = proxy.toxic(name)
    if toxic is None:
        return f"{state}, no toxic {name}"
    values = " ".join(f"{key}={value}" for key, value in sorted(toxic.attributes.items()))
    return f"{state}, {toxic.type} {toxic.stream} toxicity={toxic.toxicity:g} {values}".rstrip()
