"""From an experiment to a plan."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import JsonValue
from shop import ROOT

from aguante.experiment import Experiment, load_experiment
from aguante.experiment.experiment import SetupSection
from aguante.faults.fault_times import RepeatSection
from aguante.faults.process import ProcessFault, ProcessSection
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaFault, PumbaSection
from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.plan.build import build_plan, new_run_id
from aguante.plan.plan import Plan, PlannedSetup, Window
from aguante.testbed.testbed_spec import TestbedSpec


@pytest.fixture
def experiment(shop: TestbedSpec) -> Experiment:
    return load_experiment(ROOT / "chaos-experiments" / "payments-slow.yaml", shop)


def plan_of(experiment: Experiment, shop: TestbedSpec) -> Plan:
    return build_plan(experiment, shop, run_id="run-1", seed=7, source="x.yaml")


def changed(experiment: Experiment, **section: object) -> Experiment:
    """The experiment with its one fault changed."""
    fault = experiment.faults[0].model_copy(update=section)
    return experiment.model_copy(update={"faults": (fault,)})


def test_a_service_has_one_replica_by_default(experiment: Experiment, shop: TestbedSpec) -> None:
    """The plan has only the services that the file names."""
    assert plan_of(experiment, shop).replicas == ()
    doubled = experiment.model_copy(update={"replicas": {"inventory": 2}})
    assert plan_of(doubled, shop).replicas == (("inventory", 2),)


def test_phases_follow_each_other_without_gaps(experiment: Experiment, shop: TestbedSpec) -> None:
    """Lengths become windows that start at t0."""
    phases = experiment.phases.model_copy(
        update={"warmup_s": 2.0, "baseline_s": 6.0, "fault_s": 12.0, "recovery_s": 10.0}
    )
    plan = plan_of(experiment.model_copy(update={"phases": phases}), shop)
    assert plan.phases == (
        Window(phase="warmup", start_s=0, end_s=2),
        Window(phase="baseline", start_s=2, end_s=8),
        Window(phase="fault", start_s=8, end_s=20),
        Window(phase="recovery", start_s=20, end_s=30),
    )
    assert plan.load.duration_s == plan.end_s == 30


def test_an_absent_phase_takes_no_time(experiment: Experiment, shop: TestbedSpec) -> None:
    """Without a warm-up the baseline begins at t0."""
    phases = experiment.phases.model_copy(update={"warmup_s": None})
    plan = plan_of(experiment.model_copy(update={"phases": phases}), shop)
    assert plan.phases[0].phase == "baseline"
    assert plan.phases[0].start_s == 0


def test_a_fault_holds_for_the_fault_phase_by_default(
    experiment: Experiment, shop: TestbedSpec
) -> None:
    """Start and end are those of the phase, attributes those of Toxiproxy."""
    plan = plan_of(experiment, shop)
    window = plan.window("fault")
    assert (plan.faults[0].start_s, plan.faults[0].end_s) == (window.start_s, window.end_s)
    assert plan.faults[0].fault == ToxiproxyFault(
        link="reservations-payments",
        toxic="latency",
        attributes=(("latency", 3500), ("jitter", 200)),
    )


def test_times_of_a_fault_count_from_the_fault_phase(
    experiment: Experiment, shop: TestbedSpec
) -> None:
    """``start_s`` and ``duration_s`` are offsets into the phase."""
    plan = plan_of(changed(experiment, start_s=1.5, duration_s=2.0), shop)
    start_s = plan.window("fault").start_s
    assert (plan.faults[0].start_s, plan.faults[0].end_s) == (start_s + 1.5, start_s + 3.5)


def test_a_plan_is_read_back_as_it_was_written(experiment: Experiment, shop: TestbedSpec) -> None:
    """plan.json round-trips, with expectations and abort conditions."""
    plan = plan_of(experiment, shop)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_run_ids_sort_by_time_in_any_time_zone() -> None:
    """The id begins with the time in UTC."""
    zone = timezone(timedelta(hours=-3))
    run_id = new_run_id("payments-slow", datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone), "ab12")
    assert run_id == "20260102T060405Z-payments-slow-ab12"
    assert run_id < new_run_id("a", datetime(2026, 1, 2, 6, 4, 6, tzinfo=UTC), "0000")


def test_a_time_without_a_zone_is_rejected() -> None:
    """It is ambiguous."""
    with pytest.raises(ValueError, match="aware"):
        new_run_id("x", datetime(2026, 1, 2), "ab12")  # noqa: DTZ001 - the very fault that is tested


def test_a_repeated_fault_is_planned_as_several(experiment: Experiment, shop: TestbedSpec) -> None:
    """Each repetition has its own name and window, so that each is undone, verified and observed separately."""
    repeat = RepeatSection(times=3, every_s=4.0)
    plan = plan_of(changed(experiment, start_s=1.0, duration_s=1.5, repeat=repeat), shop)
    begin_s = plan.window("fault").start_s
    assert [(f.id, f.start_s - begin_s, f.end_s - begin_s) for f in plan.faults] == [
        ("slow#1", 1.0, 2.5),
        ("slow#2", 5.0, 6.5),
        ("slow#3", 9.0, 10.5),
    ]


def test_a_fault_on_processes_names_service_action_and_instance(
    experiment: Experiment, shop: TestbedSpec
) -> None:
    """Without an instance it affects all of the service; the plan round-trips as JSON."""
    process = ProcessSection(service="payments", action="kill", instance="payments-1")
    plan = plan_of(changed(experiment, toxiproxy=None, process=process), shop)
    (fault,) = plan.faults
    assert fault.fault == ProcessFault(service="payments", action="kill", instance="payments-1")
    assert (fault.variant, fault.target) == ("kill", "payments-1")
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    with pytest.raises(TypeError, match="one by process, not by toxiproxy"):
        fault.of(ToxiproxyFault)


@pytest.mark.parametrize(
    ("command", "options", "onset_error_max_s"),
    [("kill", {}, 1.0), ("iptables loss", {"probability": 0.3}, 2.5)],
)
def test_a_fault_by_pumba_is_planned_with_all_its_options(
    command: str,
    options: dict[str, JsonValue],
    onset_error_max_s: float,
    experiment: Experiment,
    shop: TestbedSpec,
) -> None:
    """The plan round-trips as JSON; a fault that starts a helper container may begin later."""
    pumba = PumbaSection.model_validate({"service": "payments", "command": command, **options})
    plan = plan_of(changed(experiment, toxiproxy=None, pumba=pumba), shop)
    (fault,) = plan.faults
    assert (fault.variant, fault.target) == (command, "payments")
    assert fault.of(PumbaFault).options == COMMANDS[command].complete(options)
    assert plan.onset_error_max_s == onset_error_max_s
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_the_experiments_setup_takes_precedence(experiment: Experiment, shop: TestbedSpec) -> None:
    """Missing values are the testbed's."""
    setup = plan_of(experiment, shop).setup
    assert setup == PlannedSetup(events=shop.setup.events, capacity=shop.setup.capacity)
    few = experiment.model_copy(update={"setup": SetupSection(capacity=1)})
    assert plan_of(few, shop).setup == PlannedSetup(events=shop.setup.events, capacity=1)


def test_a_plan_has_everything_that_a_run_is_judged_by(shop: TestbedSpec) -> None:
    """Expectations and abort conditions with their places in the file, and the chosen invariants."""
    slow = load_experiment(ROOT / "tests" / "unit" / "payments-slow.yaml", shop)
    plan = plan_of(slow.model_copy(update={"invariants": ("seats_add_up",)}), shop)
    assert [each.clause for each in plan.expect] == list(slow.expect)
    assert [each.clause for each in plan.abort_when] == list(slow.abort_when)
    assert [each.where.rpartition(":")[2] for each in (*plan.expect[:2], *plan.abort_when)] == [
        *("11", "12", "22"),
    ]
    assert plan.invariants == ("seats_add_up",)
