"""Plays hostile inputs over kept-alive connections and judges every answer."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from stress.hostile.inputs import Input
from stress.hostile.wire import Answer, BrokenAnswerError, Wire

ANSWER_S = 15.0
"""Longer than anything that the services themselves wait for."""
SILENCE_S = 0.15
"""How long to wait for an answer to bytes that may not be a whole request: the server waits for the rest."""
FAULTS_KEPT = 20
UNAVAILABLE = (503, 504)
"""The only 5xx that a system under attack may answer: something was busy or late, and the mechanism says what."""

Hold = Callable[[Input, Answer], None]


class UnfitAnswerError(Exception):
    """A complete answer that is not as every answer must be."""


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
    """What came of an attack."""

    statuses: Counter[int] = field(default_factory=Counter)
    mechanisms: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    """Closed or waiting for more: allowed only for what was broken as bytes."""
    faults: list[str] = field(default_factory=list)
    faults_count: int = 0

    @property
    def inputs(self) -> int:
        """How many were played."""
        return sum(self.statuses.values()) + self.unanswered

    def fault(self, sent: Input, why: str) -> None:
        """Keep the first faults, with what provoked them, and count all."""
        self.faults_count += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(f"{why}\n    sent: {sent.data[:300]!r}")


@dataclass(frozen=True)
class Attack:
    """``connections`` clients that share one stream of inputs. ``hold`` may raise ``UnfitAnswerError`` on an answer."""

    host: str
    port: int
    connections: int = 8
    hold: Hold | None = None

    async def play(self, inputs: Iterator[Input], outcome: Outcome) -> None:
        """Play all of ``inputs``."""
        async with asyncio.TaskGroup() as clients:
            for _ in range(self.connections):
                clients.create_task(self._client(inputs, outcome))

    async def _client(self, inputs: Iterator[Input], outcome: Outcome) -> None:
        wire = Wire(self.host, self.port)
        try:
            for each in inputs:
                await self._one(wire, each, outcome)
        finally:
            wire.drop()

    async def _one(self, wire: Wire, sent: Input, outcome: Outcome) -> None:
        answer: Answer | None = None
        try:
            await wire.send(sent.data)
            async with asyncio.timeout(ANSWER_S if sent.framed else SILENCE_S):
                answer = await wire.answer(_method_in(sent))
        except TimeoutError:
            if sent.framed:
                outcome.fault(sent, f"no answer within {ANSWER_S} s")
        except BrokenAnswerError as broken:
            outcome.fault(sent, str(broken))
        except OSError as refused:
            outcome.fault(sent, f"cannot connect: {refused}")
        if answer is None:
            outcome.unanswered += 1
            if sent.framed:
                outcome.fault(sent, "closed without an answer")
        else:
            self._judge(sent, answer, outcome)
        if answer is None or answer.last or not sent.framed:
            wire.drop()

    def _judge(self, sent: Input, answer: Answer, outcome: Outcome) -> None:
        outcome.statuses[answer.status] += 1
        if answer.status >= 500 and answer.status not in UNAVAILABLE:
            outcome.fault(sent, f"{answer.status}: {answer.body[:300]!r}")
        try:
            if answer.status >= 300:
                outcome.mechanisms[_mechanism(answer)] += 1
            if self.hold is not None and sent.framed:
                self.hold(sent, answer)
        except (UnfitAnswerError, msgspec.MsgspecError) as why:
            outcome.fault(sent, f"{answer.status}: {why}")


def _mechanism(answer: Answer) -> str:
    _demand(
        answer.headers.get("content-type") == "application/problem+json",
        f"no problem: {answer.body[:99]!r}",
    )
    _demand(len(answer.headers.get("x-trace-id", "")) == 32, "no X-Trace-Id")
    if not answer.body:
        return "(HEAD)"
    problem = msgspec.json.decode(answer.body, type=_Problem)
    _demand(problem.status == answer.status, f"the body says {problem.status}")
    _demand("Traceback" not in problem.detail, problem.detail)
    return problem.mechanism


def _demand(holds: bool, why: str) -> None:
    if not holds:
        raise UnfitAnswerError(why)


def _method_in(sent: Input) -> str:
    return sent.data.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1")
