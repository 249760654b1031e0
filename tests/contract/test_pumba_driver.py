"""The Pumba driver, with a stand-in for Docker and Pumba and, if Pumba is installed, with real containers."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pumba_harness import BESIDE, Real, StandIn, World, fault, until

from aguante.clients.docker_causes import FREEZE_TRIES
from aguante.drivers.driver import FaultError
from aguante.drivers.pumba.pumba_driver import PumbaDriver
from aguante.drivers.pumba.pumba_run import PumbaRun
from aguante.faults.planned_fault import PlannedFault
from aguante.run_folder.events import STARTED_ANEW
from aguante.testbed.testbed_spec import PumbaSpec

ALL_RUN = {"payments-1": "running", "payments-2": "running", "inventory-1": "running"}
LOSS = {"probability": 0.5}
HIT = {
    "kill": ({}, "exited"),
    "stop": ({"grace_s": 1}, "exited"),
    "pause": ({}, "paused"),
    "restart": ({"grace_s": 1}, "running"),
    "iptables loss": (LOSS, "running"),
    "stress": ({"cpu_workers": 1, "cpu_load_percent": 10}, "running"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Real]]:
    """The real containers, made for the first test and shared: every test leaves them as they were."""
    made: list[tuple[Real, Path]] = []

    def real() -> Real:
        if not made:
            folder = tmp_path_factory.mktemp("real")
            made.append((Real.make(folder), folder))
        return made[0][0]

    yield real
    for each, folder in made:
        each.end(folder)


@pytest.fixture(params=["standin", "real"])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, project: Callable[[], Real]
) -> Iterator[World]:
    """Two containers of payments and one of inventory, all healthy, and one that Pumba must not see."""
    made = StandIn(tmp_path) if request.param == "standin" else project()
    yield made
    made.fix()


@pytest.fixture
def standin(tmp_path: Path) -> StandIn:
    """For what real containers cannot be made to do here."""
    return StandIn(tmp_path)


@pytest.mark.parametrize("command", HIT)
async def test_a_command_hits_every_container_of_the_service_and_is_undone(
    command: str, world: World
) -> None:
    """No other container is touched; afterwards all run and are healthy, and a second undo starts nothing again."""
    given, shown = HIT[command]
    driver, planned, before = world.driver(), fault(command, **given), await world.started()
    undo = await driver.prepare(planned)
    assert undo.containers == (world.name("payments-1"), world.name("payments-2"))
    await driver.apply(planned)
    await until({"payments-1": shown, "payments-2": shown, "inventory-1": "running"}, world)
    await driver.undo(undo)
    await driver.verify(undo)
    after = await world.started()
    assert await world.states() == ALL_RUN
    anew = command in ("kill", "stop", "restart")
    assert (after["payments-1"] != before["payments-1"]) is anew
    assert (STARTED_ANEW in await driver.evidence(planned)) is anew
    assert after["inventory-1"] == before["inventory-1"]
    await driver.undo(undo)
    await driver.verify(undo)
    assert await world.started() == after


async def test_one_container_can_be_hit_alone(world: World) -> None:
    """The other containers of the service continue."""
    driver, planned = world.driver(), fault("pause", instance="payments-2")
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    assert await world.states() == {**ALL_RUN, "payments-2": "paused"}
    await driver.undo(undo)
    await driver.verify(undo)


async def test_what_compose_run_started_is_no_container_of_the_service(world: World) -> None:
    """It has the labels of payments but serves no requests: the driver neither affects it nor waits for it."""
    driver, planned, name = world.driver(), fault("kill"), world.name(BESIDE)
    (before,) = await world.docker.inspect([name])
    undo = await driver.prepare(planned)
    assert undo.containers == (world.name("payments-1"), world.name("payments-2"))
    await driver.apply(planned)
    await driver.undo(undo)
    await driver.verify(undo)
    (after,) = await world.docker.inspect([name])
    same = before.model_copy(update={"health": after.health})  # its health check goes on meanwhile
    assert (after, after.state) == (same, "running")


async def test_a_container_that_cannot_be_frozen_just_then_is_frozen_a_moment_later(
    standin: StandIn,
) -> None:
    """A health check that starts at that moment makes runc fail; a lasting failure is reported in Docker's words."""
    driver, planned = standin.driver(), fault("pause", instance="payments-2")
    undo = await driver.prepare(planned)
    standin.write(busy=FREEZE_TRIES - 1)
    await driver.apply(planned)
    assert await standin.states() == {**ALL_RUN, "payments-2": "paused"}
    await driver.undo(undo)
    await driver.verify(undo)
    standin.write(busy=FREEZE_TRIES)
    with pytest.raises(FaultError, match=r"could not pause payments-2: .*unable to freeze"):
        await driver.apply(planned)
    await driver.undo(undo)


async def test_a_removed_service_is_made_anew_by_compose(world: World) -> None:
    """With the same names."""
    driver, planned = world.driver(), fault("rm")
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    assert await world.states() == {"inventory-1": "running"}
    await driver.undo(undo)
    await driver.verify(undo)
    assert await world.states() == ALL_RUN
    assert STARTED_ANEW in await driver.evidence(planned)


async def test_what_compose_would_make_otherwise_is_not_removed(standin: StandIn) -> None:
    """Compose's hash of the service says whether the removal can be undone."""
    standin.write(hash="ffff")
    with pytest.raises(FaultError, match="payments-1 could not be made again as it is"):
        await standin.driver().prepare(fault("rm"))


async def test_what_compose_would_make_otherwise_by_now_is_not_made(standin: StandIn) -> None:
    """In another environment the undo fails and says why; in the original one it makes the containers again."""
    dead, planned = standin.driver(), fault("rm")
    undo = await dead.prepare(planned)
    await dead.apply(planned)
    standin.write(hash="ffff")
    heir = standin.driver()
    with pytest.raises(
        FaultError, match=r"hit could not be undone .* now describe another container; undo it with"
    ):
        await heir.undo(undo)
    assert await standin.states() == {"inventory-1": "running"}
    standin.write(hash="0a1b")
    await heir.undo(undo)
    await heir.verify(undo)
    assert await standin.states() == ALL_RUN


async def test_a_program_that_was_run_is_taken_back_by_a_restart(world: World) -> None:
    """The restart ends whatever it did; a second undo restarts nothing."""
    driver, planned = world.driver(), fault("exec", instance="payments-1", run="true")
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    await driver.undo(undo)
    await driver.verify(undo)
    after = await world.started()
    assert STARTED_ANEW in await driver.evidence(planned)
    await driver.undo(undo)
    assert await world.started() == after


async def test_a_program_can_be_taken_back_by_another(world: World) -> None:
    """With an undo command, nothing is restarted."""
    planned = fault("exec", instance="payments-1", run="true", undo_command=["true"])
    driver, before = world.driver(), await world.started()
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    await driver.undo(undo)
    await driver.verify(undo)
    assert await world.started() == before


async def test_a_program_that_fails_is_said(world: World) -> None:
    """With Pumba's own message."""
    driver, planned = world.driver(), fault("exec", instance="payments-1", run="false")
    undo = await driver.prepare(planned)
    with pytest.raises(FaultError, match=r"hit could not exec payments-1: .*exit code 1"):
        await driver.apply(planned)
    await driver.undo(undo)


async def test_pumba_exits_with_0_when_nothing_matches(world: World) -> None:
    """Which is why the driver reads the log of a dry run first."""
    driver = world.driver()
    run = await driver.pumba.start(["--json", "kill", "nobody-has-this-name"], "t")
    assert await run.end(10)
    assert (run.process.returncode, run.words()) == (0, "no containers found")


async def test_what_pumba_would_not_match_is_an_error_before_anything_is_done(world: World) -> None:
    """Pumba would ignore a container with its skip label, and the fault would only seem to be active."""
    before = await world.started()
    with pytest.raises(FaultError, match=r"Pumba does not find \S+hidden-1.*no containers found"):
        await world.driver().prepare(fault("kill", service="hidden"))
    assert await world.started() == before


async def test_a_service_without_containers_is_an_error_before_anything_is_done(
    world: World,
) -> None:
    """The message lists the containers."""
    with pytest.raises(FaultError, match=r"has no container refunds; it has .*payments-1"):
        await world.driver().prepare(fault("kill", service="refunds"))


async def test_a_container_that_is_not_well_before_the_fault_is_refused(world: World) -> None:
    """A container that is already down would look like a fault that took effect."""
    driver = world.driver()
    undo = await driver.prepare(fault("pause", instance="payments-2"))
    await driver.apply(fault("pause", instance="payments-2"))
    with pytest.raises(FaultError, match=r"payments-2 was paused before anything was injected"):
        await world.driver().prepare(fault("kill"))
    await driver.undo(undo)
    await driver.verify(undo)


async def test_a_killed_container_stays_down_until_it_is_undone(world: World) -> None:
    """Docker does not start it again; verify says so, and how to fix it."""
    driver, planned = world.driver(ready_limit_s=0.0), fault("kill", instance="payments-1")
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    with pytest.raises(
        FaultError, match=r"hit is still active: \S+payments-1 is exited.*docker start"
    ):
        await driver.verify(undo)
    patient = world.driver()
    await patient.undo(undo)
    await patient.verify(undo)


@pytest.mark.parametrize(("command", "given"), [("iptables loss", LOSS), ("pause", {})])
async def test_what_a_killed_pumba_leaves_is_found_and_cleared(
    command: str, given: dict[str, object], world: World
) -> None:
    """A killed Pumba cleans up nothing: verify finds what is left, and undo clears it."""
    driver, planned = (
        world.driver(ready_limit_s=0.0),
        fault(command, instance="payments-1", **given),
    )
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    for run in running(driver, planned):
        os.killpg(run.process.pid, signal.SIGKILL)
        assert await run.end(5)
    with pytest.raises(
        FaultError, match=r"hit is still active: \S+payments-1 (is paused|has INPUT)"
    ):
        await driver.verify(undo)
    patient = world.driver()
    await patient.undo(undo)
    await patient.verify(undo)
    if command == "iptables loss":
        assert await world.rules("payments-1") == ""


@pytest.mark.parametrize("command", ["iptables loss", "stress", "kill"])
async def test_what_a_dead_run_left_is_healed_by_another(command: str, world: World) -> None:
    """Its Pumba is found by the token and ended, its containers are started, its helpers removed."""
    dead, planned = world.driver(), fault(command, instance="payments-1", **HIT[command][0])
    undo = await dead.prepare(planned)
    await dead.apply(planned)
    runs = running(dead, planned)
    heir = world.driver()
    await heir.undo(undo)
    await heir.verify(undo)
    assert all([await run.end(5) for run in runs])
    assert await world.states() == ALL_RUN


async def test_an_undo_of_what_was_never_applied_changes_nothing(world: World) -> None:
    """The journal may contain only an intent."""
    driver, before = world.driver(), await world.started()
    for planned in (fault("kill"), fault("exec", run="true"), fault("iptables loss", **LOSS)):
        undo = await driver.prepare(planned)
        await driver.undo(undo)
        await driver.verify(undo)
    assert await world.started() == before


async def test_what_an_earlier_fault_restarted_was_not_restarted_by_this_one(
    standin: StandIn,
) -> None:
    """All faults are prepared before the first is applied; each is distinguished from the one before."""
    driver, first = standin.driver(), fault("kill")
    later = fault("pause").model_copy(update={"id": "later"})
    undos = [await driver.prepare(first), await driver.prepare(later)]
    await driver.apply(first)
    await driver.undo(undos[0])
    await driver.apply(later)
    assert STARTED_ANEW in await driver.evidence(first)
    assert STARTED_ANEW not in await driver.evidence(later)
    await driver.undo(undos[1])


async def test_a_testbed_that_has_ended_took_the_fault_with_it(standin: StandIn) -> None:
    """Nothing is left to restore, which is no error."""
    undo = await standin.driver().prepare(fault("rm"))
    standin.write(containers={})
    heir = standin.driver()
    await heir.undo(undo)
    await heir.verify(undo)


async def test_loss_tells_how_many_packets_the_kernel_dropped(world: World) -> None:
    """The packets are counted before the rules are deleted."""
    driver, planned = world.driver(), fault("iptables loss", instance="payments-1", **LOSS)
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    await driver.undo(undo)
    assert "the kernel dropped" in await driver.evidence(planned)
    await driver.verify(undo)


async def test_netem_is_refused_where_the_kernel_has_none(world: World) -> None:
    """It is tried in a temporary namespace first; the error says what to load and what to use instead."""
    if isinstance(world, Real) and world.has_netem():
        pytest.skip("this kernel has netem")
    with pytest.raises(FaultError, match=r"no netem \(sch_netem.*modprobe.*iptables loss"):
        await world.driver().prepare(fault("netem delay", delay_ms=100))


async def test_netem_that_a_killed_pumba_leaves_is_cleared(world: World) -> None:
    """The interface has its default queueing again, as tc shows."""
    if isinstance(world, Real) and not world.has_netem():
        pytest.skip("this kernel has no netem")
    if isinstance(world, StandIn):
        world.write(netem=True)
    driver, planned = world.driver(ready_limit_s=0.0), fault("netem delay", delay_ms=100)
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    for run in running(driver, planned):
        os.killpg(run.process.pid, signal.SIGKILL)
        assert await run.end(5)
    with pytest.raises(FaultError, match=r"payments-1 has qdisc netem"):
        await driver.verify(undo)
    patient = world.driver()
    await patient.undo(undo)
    await patient.verify(undo)


async def test_a_pumba_that_is_told_to_end_cleans_up_by_itself(world: World) -> None:
    """Then the driver has nothing to clear."""
    driver, planned = world.driver(), fault("iptables loss", instance="payments-1", **LOSS)
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    assert "statistic" in await world.rules("payments-1")
    await asyncio.gather(*(run.stop(20) for run in running(driver, planned)))
    assert await world.rules("payments-1") == ""
    await driver.undo(undo)
    await driver.verify(undo)


async def test_an_image_that_is_not_to_be_had_is_said_before_the_fault(standin: StandIn) -> None:
    """The error says what needs it, and Docker's reason."""
    standin.write(images=[])
    with pytest.raises(FaultError, match=r"fault hit needs tools:1.*is not here"):
        await standin.driver().prepare(fault("iptables loss", **LOSS))


async def test_a_pumba_that_is_missing_is_said_with_the_ways_to_provide_it(
    standin: StandIn,
) -> None:
    """The error names PATH, the variable and the image."""
    standin.settings = PumbaSpec(program="/nowhere/pumba", image="pumba:0")
    with pytest.raises(
        FaultError, match=r"Pumba is missing: put pumba 1\.1 on PATH.*AGUANTE_PUMBA"
    ):
        await standin.driver().prepare(fault("kill"))


async def test_same_cgroup_needs_an_image_that_can(standin: StandIn) -> None:
    """The image of the stand-in has no /cg-inject."""
    with pytest.raises(FaultError, match="tools:1 has no /cg-inject"):
        await standin.driver().prepare(fault("stress", cpu_workers=1, same_cgroup=True))


async def test_every_call_of_pumba_names_its_containers(standin: StandIn) -> None:
    """Never without a name, which means all containers to Pumba, and never with a pattern."""
    driver, planned = standin.driver(), fault("kill")
    undo = await driver.prepare(planned)
    await driver.apply(planned)
    await driver.undo(undo)
    dry, *real = standin.calls("pumba")
    assert dry[-4:] == ["--dry-run", "kill", "shop-payments-1", "shop-payments-2"]
    assert sorted(call[-3:] for call in real) == [
        ["kill", "--signal=SIGKILL", "shop-payments-1"],
        ["kill", "--signal=SIGKILL", "shop-payments-2"],
    ]


def running(driver: PumbaDriver, planned: PlannedFault) -> list[PumbaRun]:
    return driver.runs[planned.id]
