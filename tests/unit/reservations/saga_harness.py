"""A whole shop in memory, in which every call can fail in every way: for tests of the saga.

`World` is what survives a crash (three databases). Each call over an edge takes the next `Act` of the
script; when the script is used up, everything works.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from services.inventory.domain import (
    Allocation,
    AllocationState,
    Event,
    decide_release,
    decide_reserve,
)
from services.inventory.domain import Verdict as Seats
from services.kit.failures.failed import CallFailed, DatabaseFailed
from services.kit.failures.problem import Mechanism, Problem
from services.kit.patterns.deadline import Deadline
from services.kit.patterns.retry import Retry
from services.kit.policy.sections import FullJitterBackoff, RetryPolicy
from services.kit.telemetry.events import ignore
from services.payments.domain import Charge, ChargeState, after_refund, ask_bank, judge_pay
from services.payments.domain import Verdict as Money
from services.reservations.compensation import Compensator, Time
from services.reservations.domain import TERMINAL, Notice, Saga, State, Trace, holds_key
from services.reservations.outbox import OutboxWorker, SentMarks
from services.reservations.recovery import RecoveryWorker
from services.reservations.repository import Record
from services.reservations.saga import SagaRunner
from services.reservations.transition_log import TransitionLog
from services.shop.policy import CompensationPolicy

LEASE_S = 15.0
CAPACITY = 6
GIVE_BACK = CompensationPolicy(timeout_s=5, backoff=FullJitterBackoff(first_ms=100, max_ms=2_000))


class Act(Enum):
    """How one call over an edge goes."""

    OK = auto()
    REFUSED = auto()
    """A definite failure: nothing happened."""
    LOST_BEFORE = auto()
    """An indefinite failure, and nothing happened."""
    LOST_AFTER = auto()
    """An indefinite failure, and it did happen."""
    LATE = auto()
    """An indefinite failure, and it happens after every caller has given up."""
    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()
    PAUSE = auto()
    """The process stands still until another one has recovered its sagas, and then continues."""


class CrashError(BaseException):
    """The process is gone; no `except Exception` may catch it."""


@dataclass
class World:
    """Three databases, a clock, and the script of what goes wrong."""

    script: Iterator[Act] = field(default_factory=lambda: iter(()))
    now_s: float = 0.0
    event: Event = field(default_factory=lambda: Event("e", CAPACITY, CAPACITY))
    allocations: dict[str, Allocation] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    sagas: dict[str, Saga] = field(default_factory=dict)
    lease_until_s: dict[str, float] = field(default_factory=dict)
    log: list[tuple[str, int, State]] = field(default_factory=list)
    outbox: dict[str, bool] = field(default_factory=dict)
    due_s: dict[str, float] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    late: list["Effect"] = field(default_factory=list)

    async def call(self, edge: str, effect: "Effect", failure: type[Exception]) -> object:
        """Carry out `effect` in the way of the next act of the script."""
        self.sent.append(edge)
        act = next(self.script, Act.OK)
        if act is Act.PAUSE:
            await self.recover()
        if act is Act.CRASH_BEFORE:
            raise CrashError
        if act is Act.LATE:
            self.late.append(effect)
        if act in {Act.OK, Act.PAUSE}:
            return effect()
        if act in {Act.LOST_AFTER, Act.CRASH_AFTER}:
            with suppress(CallFailed):  # what it answers is lost
                effect()
        if act is Act.CRASH_AFTER:
            raise CrashError
        raise _failed(edge, failure, definite=act is Act.REFUSED)

    async def recover(self) -> None:
        """Start a new process in which everything works, and let it run until it has settled."""
        script, self.script = self.script, iter(())
        self.now_s += LEASE_S + 1
        process = Process(self)
        for _ in range(len(self.sagas) + 3):
            await process.worker.recover_expired()
            await process.compensator.drain(5)
        self.now_s += 60
        await process.outbox_worker.deliver_due()
        self.script = script

    def land_late_calls(self) -> None:
        """Let the calls that were delayed in the network arrive."""
        for effect in self.late:
            with suppress(CallFailed):  # nobody is there to hear the answer
                effect()
        self.late.clear()

    @property
    def live(self) -> list[Saga]:
        """Every saga that still needs work."""
        return [saga for saga in self.sagas.values() if saga.state not in TERMINAL]


def _failed(edge: str, kind: type[Exception], *, definite: bool) -> Exception:
    if kind is CallFailed:
        mechanism = Mechanism.CONNECT_REFUSED if definite else Mechanism.DISCONNECTED
        return CallFailed(mechanism, definite, f"reservations-{edge}", "reservations")
    mechanism = Mechanism.DATABASE_UNAVAILABLE if definite else Mechanism.COMMIT_UNKNOWN
    return DatabaseFailed(mechanism, definite, "reservations-db", "reservations")


def refusal(mechanism: Mechanism, origin: str) -> CallFailed:
    """Return a callee's own refusal, as the HTTP client raises it."""
    problem = Problem(mechanism, "said the callee", origin=origin)
    return CallFailed(mechanism, True, None, origin, status=problem.status, problem=problem)


class Effect:
    """Something done to the world; called when it arrives."""

    def __init__(self, act: object, *args: object) -> None:
        self._act, self._args = act, args

    def __call__(self) -> object:
        return self._act(*self._args)  # type: ignore[operator]


@dataclass
class FakeInventory:
    """Inventory's domain over the world."""

    world: World

    async def reserve(self, saga: Saga, deadline: Deadline) -> None:
        await self.world.call("inventory", Effect(self._reserve, saga), CallFailed)

    async def release(self, reservation_id: str, attempt: int) -> None:
        await self.world.call("inventory", Effect(self._release, reservation_id), CallFailed)

    def _reserve(self, saga: Saga) -> None:
        world, order = self.world, saga.order
        held = world.allocations.get(saga.reservation_id)
        change = decide_reserve(world.event, held, order.event_id, order.quantity)
        if change.verdict is Seats.DONE:
            world.event = replace(world.event, available=change.available)
            world.allocations[saga.reservation_id] = Allocation(
                saga.reservation_id, order.event_id, order.quantity, AllocationState.ALLOCATED
            )
        elif change.verdict is not Seats.REPEATED:
            raise refusal(Mechanism(change.verdict.value), "inventory")

    def _release(self, reservation_id: str) -> None:
        world = self.world
        held = world.allocations.get(reservation_id)
        if held is None:
            world.allocations[reservation_id] = Allocation(
                reservation_id, None, 0, AllocationState.VOIDED
            )
            return
        change = decide_release(held, world.event)
        if change.verdict is Seats.DONE:
            world.event = replace(world.event, available=change.available)
            world.allocations[reservation_id] = replace(held, state=AllocationState.RELEASED)


@dataclass
class FakePayments:
    """Payments' domain over the world."""

    world: World

    async def pay(self, saga: Saga, deadline: Deadline) -> None:
        await self.world.call("payments", Effect(self._pay, saga), CallFailed)

    async def refund(self, reservation_id: str, attempt: int) -> None:
        await self.world.call("payments", Effect(self._refund, reservation_id), CallFailed)

    def _pay(self, saga: Saga) -> None:
        user_id, amount = saga.order.user_id, saga.order.amount_cents
        new = Charge(saga.reservation_id, user_id, amount, ask_bank(user_id, amount))
        stored = self.world.charges.setdefault(saga.reservation_id, new)
        verdict = judge_pay(stored, user_id, amount)
        if verdict is Money.DECLINED:
            raise refusal(Mechanism.PAYMENT_DECLINED, "payments")
        if verdict is not Money.CAPTURED:
            raise refusal(Mechanism.VOIDED, "payments")

    def _refund(self, reservation_id: str) -> None:
        stored = self.world.charges.get(reservation_id)
        state = after_refund(stored.state if stored else None)
        blank = Charge(reservation_id, None, None, ChargeState.VOIDED)
        self.world.charges[reservation_id] = replace(stored or blank, state=state)


@dataclass
class FakeNotifications:
    """Remembers the notices."""

    world: World

    async def notify(self, notice: Notice, deadline: Deadline) -> None:
        effect = Effect(self.world.notices.append, notice.reservation_id)
        await self.world.call("notifications", effect, CallFailed)


@dataclass
class FakeSagas:
    """The saga log and the outbox over the world."""

    world: World

    async def begin(self, saga: Saga) -> Saga | None:
        effect = Effect(self._begin, saga)
        holder = await self.world.call("db", effect, DatabaseFailed)
        assert holder is None or isinstance(holder, Saga)
        return holder

    async def commit(self, before: Saga, after: Saga, reason: str) -> bool:
        effect = Effect(self._commit, before, after)
        return bool(await self.world.call("db", effect, DatabaseFailed))

    async def find(self, reservation_id: str) -> Record | None:
        saga = self.world.sagas.get(reservation_id)
        return saga and Record(saga, self.world.outbox.get(reservation_id, False))

    async def claim_expired(self, limit: int) -> list[Saga]:
        expired = [s for s in self.world.live if self._expired(s)][:limit]
        claimed = [replace(saga, version=saga.version + 1) for saga in expired]
        for saga in claimed:
            self._store(saga)
        return claimed

    async def claim_due(self, limit: int) -> list[Notice]:
        world = self.world
        due = [i for i, sent in world.outbox.items() if not sent and world.due_s[i] <= world.now_s]
        for reservation_id in due[:limit]:
            world.due_s[reservation_id] = world.now_s + 5
        return [Notice(i, world.sagas[i].order, Trace()) for i in due[:limit]]

    async def mark_delivered(self, reservation_ids: list[str]) -> None:
        self.world.outbox.update(dict.fromkeys(reservation_ids, True))

    async def mark_sent_inline(self, reservation_ids: list[str]) -> None:
        await self.mark_delivered(reservation_ids)
        for i in reservation_ids:
            self.world.sagas[i] = replace(self.world.sagas[i], notification_sent=True)

    def _expired(self, saga: Saga) -> bool:
        return self.world.lease_until_s[saga.reservation_id] < self.world.now_s

    def _begin(self, saga: Saga) -> Saga | None:
        if saga.reservation_id in self.world.sagas:
            return self.world.sagas[saga.reservation_id]
        for other in self.world.sagas.values():
            if other.idempotency_key == saga.idempotency_key and holds_key(other):
                return other
        self._store(saga)
        return None

    def _commit(self, before: Saga, after: Saga) -> bool:
        stored = self.world.sagas[before.reservation_id]
        if (stored.state, stored.version) != (before.state, before.version):
            return False
        self._store(after)
        if after.state is State.CONFIRMED:
            self.world.outbox[after.reservation_id] = False
            self.world.due_s[after.reservation_id] = self.world.now_s + 5
        return True

    def _store(self, saga: Saga) -> None:
        self.world.sagas[saga.reservation_id] = saga
        self.world.lease_until_s[saga.reservation_id] = self.world.now_s + LEASE_S
        self.world.log.append((saga.reservation_id, saga.version, saga.state))


class NoTracing:
    """Makes no spans."""

    def internal(
        self, name: str, attributes: object, *, link_to: Trace | None = None
    ) -> AbstractContextManager[None]:
        """Trace nothing."""
        return nullcontext()


class Process:
    """One reservations process over a world: what a crash takes away. Both patterns are on unless switched off."""

    def __init__(
        self,
        world: World,
        compensation: CompensationPolicy | None = GIVE_BACK,
        *,
        degrade: bool = True,
    ) -> None:
        async def sleep(pause_s: float) -> None:
            world.now_s += pause_s

        retry = RetryPolicy(
            attempts=3,
            on=(Mechanism.DATABASE_UNAVAILABLE, Mechanism.COMMIT_UNKNOWN),
            backoff=FullJitterBackoff(first_ms=50, max_ms=400),
            budget=None,
        )
        sagas = FakeSagas(world)
        inventory, payments = FakeInventory(world), FakePayments(world)
        notifications = FakeNotifications(world)
        retries = Retry("reservations-db", retry, ignore, sleep=sleep, draw=lambda: 0.5)
        log = TransitionLog(sagas, retries, ignore)
        time = Time(clock=lambda: world.now_s, sleep=sleep, draw=lambda: 0.5)
        self.compensator = Compensator(
            compensation, log, inventory, payments, ignore, NoTracing(), time
        )
        self.marks = SentMarks(sagas)
        self.runner = SagaRunner(
            log, inventory, payments, notifications, self.compensator, self.marks, degrade
        )
        self.worker = RecoveryWorker(sagas, log, self.compensator, NoTracing())
        self.outbox_worker = OutboxWorker(sagas, notifications, NoTracing())
