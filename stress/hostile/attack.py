"""Plays hostile inputs over keep-alive connections and judges every response."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from stress.hostile.inputs import Input
from stress.hostile.raw_connection import BrokenResponseError, RawConnection, Response

RESPONSE_S = 15.0
"""Longer than any timeout of the services."""
SILENCE_S = 0.15
"""How long to wait for a response to bytes that may be an incomplete request."""
FAULTS_KEPT = 20
UNAVAILABLE = (503, 504)
"""The only 5xx that a system under attack may return: busy or late, as its mechanism names."""

Check = Callable[[Input, Response], None]


class UnfitResponseError(Exception):
    """A complete response that breaks the rules for every response."""


class _Problem(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    title: str
    status: int
    detail: str
    origin: str
    link: str | None
    mechanism: str
    definite: bool
    settled: bool
    reservation_id: str | None
    trace_id: str


@dataclass
class Outcome:
    """The result of an attack."""

    statuses: Counter[int] = field(default_factory=Counter)
    mechanisms: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    """Closed or still waiting; allowed only for inputs that are not ``framed``."""
    faults: list[str] = field(default_factory=list)
    faults_count: int = 0

    @property
    def inputs(self) -> int:
        """The number of inputs played."""
        return sum(self.statuses.values()) + self.unanswered

    def fault(self, sent: Input, why: str) -> None:
        """Count a fault; keep the first ones with the input that caused them."""
        self.faults_count += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(f"{why}\n    sent: {sent.data[:300]!r}")


@dataclass(frozen=True)
class Attack:
    """``connections`` clients that share one stream of inputs. ``check`` may raise ``UnfitResponseError``."""

    host: str
    port: int
    connections: int = 8
    check: Check | None = None

    async def play(self, inputs: Iterator[Input], outcome: Outcome) -> None:
        """Play all of ``inputs``."""
        async with asyncio.TaskGroup() as clients:
            for _ in range(self.connections):
                clients.create_task(self._client(inputs, outcome))

    async def _client(self, inputs: Iterator[Input], outcome: Outcome) -> None:
        connection = RawConnection(self.host, self.port)
        try:
            for each in inputs:
                await self._one(connection, each, outcome)
        finally:
            connection.drop()

    async def _one(self, connection: RawConnection, sent: Input, outcome: Outcome) -> None:
        response: Response | None = None
        try:
            await connection.send(sent.data)
            async with asyncio.timeout(RESPONSE_S if sent.framed else SILENCE_S):
                response = await connection.response(_method_in(sent))
        except TimeoutError:
            if sent.framed:
                outcome.fault(sent, f"no response within {RESPONSE_S} s")
        except BrokenResponseError as broken:
            outcome.fault(sent, str(broken))
        except OSError as refused:
            outcome.fault(sent, f"cannot connect: {refused}")
        if response is None:
            outcome.unanswered += 1
            if sent.framed:
                outcome.fault(sent, "closed without a response")
        else:
            self._judge(sent, response, outcome)
        if response is None or response.last or not sent.framed:
            connection.drop()

    def _judge(self, sent: Input, response: Response, outcome: Outcome) -> None:
        outcome.statuses[response.status] += 1
        if response.status >= 500 and response.status not in UNAVAILABLE:
            outcome.fault(sent, f"{response.status}: {response.body[:300]!r}")
        try:
            if response.status >= 300:
                outcome.mechanisms[_mechanism(response)] += 1
            if self.check is not None and sent.framed:
                self.check(sent, response)
        except (UnfitResponseError, msgspec.MsgspecError) as why:
            outcome.fault(sent, f"{response.status}: {why}")


def _mechanism(response: Response) -> str:
    _demand(
        response.headers.get("content-type") == "application/problem+json",
        f"not a problem: {response.body[:99]!r}",
    )
    _demand(len(response.headers.get("x-trace-id", "")) == 32, "no X-Trace-Id")
    if not response.body:
        return "(HEAD)"
    problem = msgspec.json.decode(response.body, type=_Problem)
    _demand(problem.status == response.status, f"the body says {problem.status}")
    _demand("Traceback" not in problem.detail, problem.detail)
    return problem.mechanism


def _demand(holds: bool, why: str) -> None:
    if not holds:
        raise UnfitResponseError(why)


def _method_in(sent: Input) -> str:
    return sent.data.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1")
