"""A kill counts when it surely fell between pay and confirm, and not otherwise."""

from dataclasses import dataclass, field
from typing import cast

from aguante.drivers.driver import FaultError
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.runtimes.native.native_runtime import NativeRuntime
from stress.chaos import Chaos, Kill
from stress.schedule import AIMED_AT, Strike
from stress.witness import Witness


@dataclass
class World:
    """A runtime, a driver and a witness in one, that write down what they are asked."""

    left: frozenset[str] = frozenset()
    silent: bool = True
    link_is_down: bool = False
    said: list[str] = field(default_factory=list)

    async def wait_for_one(self, known: frozenset[str], limit_s: float) -> bool:
        self.said.append("aim")
        return True

    async def kill(self, instance: str) -> None:
        self.said.append(f"kill {instance}")

    async def silence(self, limit_s: float) -> bool:
        return self.silent

    async def between(self) -> frozenset[str]:
        return self.left

    async def prepare(self, fault: PlannedFault) -> str:
        if self.link_is_down:
            message = "the proxy is disabled"
            raise FaultError(message)
        return fault.id

    async def apply(self, fault: PlannedFault) -> None:
        self.said.append("widen")

    async def undo(self, undo: str) -> None:
        self.said.append("narrow")

    async def verify(self, undo: str) -> None:
        self.said.append("verify")


def chaos_in(world: World) -> Chaos:
    return Chaos(
        cast("NativeRuntime", world),
        cast("ToxiproxyDriver", world),
        cast("Witness", world),
        lambda: 0.0,
    )


def strike(widened_ms: int = 0) -> Strike:
    return Strike(pause_s=0, service=AIMED_AT, down_s=0, widened_ms=widened_ms)


async def test_a_kill_catches_what_it_left_paid_and_not_confirmed() -> None:
    """What the databases show after the kill, not what was aimed at."""
    assert await chaos_in(World(left=frozenset({"r1", "r2"}))).strike_aimed(strike()) == {
        "r1",
        "r2",
    }


async def test_what_an_earlier_kill_left_is_not_counted_again() -> None:
    """A saga waits up to 15 s for its recovery, and other kills fall meanwhile."""
    chaos = chaos_in(World(left=frozenset({"r1", "r2"})))
    chaos.damage.kills.append(Kill(0.0, AIMED_AT, frozenset({"r1"})))
    assert await chaos.strike_aimed(strike()) == {"r2"}


async def test_a_kill_whose_words_may_still_arrive_does_not_count() -> None:
    """With a session left at the database, the dead process may yet confirm."""
    world = World(left=frozenset({"r1"}), silent=False)
    assert await chaos_in(world).strike_aimed(strike()) == frozenset()


async def test_the_window_is_widened_for_the_aim_alone() -> None:
    """The toxic is lifted, and that is verified, before the service is started again."""
    world = World()
    await chaos_in(world).strike_aimed(strike(widened_ms=80))
    assert world.said == ["widen", "aim", "kill reservations-1", "narrow", "verify"]


async def test_a_link_that_is_down_is_not_widened() -> None:
    """The strike falls all the same."""
    world = World(link_is_down=True)
    await chaos_in(world).strike_aimed(strike(widened_ms=80))
    assert world.said == ["aim", "kill reservations-1"]
