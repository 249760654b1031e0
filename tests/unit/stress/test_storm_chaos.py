"""A kill counts only when it was certainly between pay and confirm."""

from dataclasses import dataclass, field
from typing import cast

from aguante.drivers.driver import FaultError
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.runtimes.native.native_runtime import NativeRuntime
from stress.chaos import Chaos, Kill
from stress.saga_observer import SagaObserver
from stress.schedule import AIMED_AT, PlannedKill


@dataclass
class FakeTestbed:
    """A fake runtime, driver and observer that records the calls to each of them."""

    left: frozenset[str] = frozenset()
    sessions_ended: bool = True
    link_is_down: bool = False
    calls: list[str] = field(default_factory=list)

    async def wait_for_one(self, known: frozenset[str], limit_s: float) -> bool:
        self.calls.append("wait")
        return True

    async def kill(self, instance: str) -> None:
        self.calls.append(f"kill {instance}")

    async def sessions_end(self, limit_s: float) -> bool:
        return self.sessions_ended

    async def between(self) -> frozenset[str]:
        return self.left

    async def prepare(self, fault: PlannedFault) -> str:
        if self.link_is_down:
            message = "the proxy is disabled"
            raise FaultError(message)
        return fault.id

    async def apply(self, fault: PlannedFault) -> None:
        self.calls.append("apply")

    async def undo(self, undo: str) -> None:
        self.calls.append("undo")

    async def verify(self, undo: str) -> None:
        self.calls.append("verify")


def chaos_in(testbed: FakeTestbed) -> Chaos:
    return Chaos(
        cast("NativeRuntime", testbed),
        cast("ToxiproxyDriver", testbed),
        cast("SagaObserver", testbed),
        lambda: 0.0,
    )


def kill(widened_ms: int = 0) -> PlannedKill:
    return PlannedKill(pause_s=0, service=AIMED_AT, down_s=0, widened_ms=widened_ms)


async def test_a_kill_catches_what_it_left_charged_and_unconfirmed() -> None:
    """The databases after the kill decide, not what was seen before it."""
    assert await chaos_in(FakeTestbed(left=frozenset({"r1", "r2"}))).kill_between_pay_and_confirm(
        kill()
    ) == {
        "r1",
        "r2",
    }


async def test_what_an_earlier_kill_left_is_not_counted_again() -> None:
    """A saga waits up to 15 s for its recovery, and other kills happen meanwhile."""
    chaos = chaos_in(FakeTestbed(left=frozenset({"r1", "r2"})))
    chaos.damage.kills.append(Kill(0.0, AIMED_AT, frozenset({"r1"})))
    assert await chaos.kill_between_pay_and_confirm(kill()) == {"r2"}


async def test_a_kill_whose_statements_may_still_arrive_does_not_count() -> None:
    """With a session left at the database, the dead process may yet confirm."""
    testbed = FakeTestbed(left=frozenset({"r1"}), sessions_ended=False)
    assert await chaos_in(testbed).kill_between_pay_and_confirm(kill()) == frozenset()


async def test_the_window_is_widened_only_until_the_kill() -> None:
    """The toxic is removed and verified before the service is restarted."""
    testbed = FakeTestbed()
    await chaos_in(testbed).kill_between_pay_and_confirm(kill(widened_ms=80))
    assert testbed.calls == ["apply", "wait", "kill reservations-1", "undo", "verify"]


async def test_a_link_that_is_down_is_not_widened() -> None:
    """The kill happens all the same."""
    testbed = FakeTestbed(link_is_down=True)
    await chaos_in(testbed).kill_between_pay_and_confirm(kill(widened_ms=80))
    assert testbed.calls == ["wait", "kill reservations-1"]
