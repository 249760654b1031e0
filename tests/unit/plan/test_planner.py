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


def test_replicas_are_one_each_unless_said(experiment: Experiment, shop: TestbedSpec) -> None:
    """What the file says reaches the runtime; a service that it does not name is not in the plan."""
    assert plan_of(experiment, shop).replicas == ()
    doubled = experiment.model_copy(update={"replicas": {"inventory": 2}})
    assert plan_of(doubled, shop).replicas == (("inventory", 2),)


def test_phases_follow_each_other_without_gaps(experiment: Experiment, shop: TestbedSpec) -> None:
    """Lengths become windows from t0 on."""
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


def test_a_faults_times_count_from_the_fault_phase(
    experiment: Experiment, shop: TestbedSpec
) -> None:
    """``start_s`` and ``duration_s`` are offsets into the phase."""
    plan = plan_of(changed(experiment, start_s=1.5, duration_s=2.0), shop)
    start_s = plan.window("fault").start_s
    assert (plan.faults[0].start_s, plan.faults[0].end_s) == (start_s + 1.5, start_s + 3.5)


def test_a_plan_survives_its_file(experiment: Experiment, shop: TestbedSpec) -> None:
    """What is written to plan.json is what is read from it."""
    plan = plan_of(experiment, shop)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_run_ids_sort_by_time_whatever_the_zone() -> None:
    """The id begins with the time in UTC."""
    zone = timezone(timedelta(hours=-3))
    run_id = new_run_id("payments-slow", datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone), "ab12")
    assert run_id == "20260102T060405Z-payments-slow-ab12"
    assert run_id < new_run_id("a", datetime(2026, 1, 2, 6, 4, 6, tzinfo=UTC), "0000")


def test_a_naive_time_is_refused() -> None:
    """A time without a zone could be any time."""
    with pytest.raises(ValueError, match="aware"):
        new_run_id("x", datetime(2026, 1, 2), "ab12")  # noqa: DTZ001 - the very fault that is tested


def test_a_repeated_fault_is_planned_as_several(experiment: Experiment, shop: TestbedSpec) -> None:
    """Each time has a name and a window of its own, so that each is undone, verified and felt by itself."""
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
    """Without an instance it is done to all of the service; the plan comes back from its JSON the same."""
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
    """The plan comes back from its JSON the same; a fault for which a container is started first may begin later."""
    pumba = PumbaSection.model_validate({"service": "payments", "command": command, **options})
    plan = plan_of(changed(experiment, toxiproxy=None, pumba=pumba), shop)
    (fault,) = plan.faults
    assert (fault.variant, fault.target) == (command, "payments")
    assert fault.of(PumbaFault).options == COMMANDS[command].complete(options)
    assert plan.onset_error_max_s == onset_error_max_s
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_the_setup_is_the_experiments_own_where_it_says_so(
    experiment: Experiment, shop: TestbedSpec
) -> None:
    """What it does not say is the testbed's."""
    setup = plan_of(experiment, shop).setup
    assert setup == PlannedSetup(events=shop.setup.events, capacity=shop.setup.capacity)
    few = experiment.model_copy(update={"setup": SetupSection(capacity=1)})
    assert plan_of(few, shop).setup == PlannedSetup(events=shop.setup.events, capacity=1)
