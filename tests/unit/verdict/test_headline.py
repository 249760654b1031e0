"""The faults and the recovery in a headline."""

from pathlib import Path

import pytest
from synthetic_run import write_run

from aguante.faults.planned_fault import PlannedFault
from aguante.faults.process import ProcessFault
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaFault
from aguante.measure.measure_run import measure
from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.headline import headline


@pytest.fixture
def measures(tmp_path: Path, slow_plan: Plan, shop: TestbedSpec) -> Measures:
    return measure(write_run(tmp_path, slow_plan), slow_plan, shop)


def with_process(plan: Plan, action: str, times: int = 1) -> Plan:
    fault = ProcessFault.model_validate({"service": "payments", "action": action})
    planned = (
        PlannedFault(id=f"hit#{n}", fault=fault, start_s=8 + 3 * n, end_s=10 + 3 * n)
        for n in range(times)
    )
    return plan.model_copy(update={"faults": tuple(planned)})


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("kill", "payments killed for 2 s: "),
        ("stop", "payments stopped for 2 s: "),
        ("pause", "payments paused for 2 s: "),
        ("restart", "payments restarted: "),
    ],
)
def test_a_fault_on_processes_is_in_the_past_tense(
    action: str, said: str, slow_plan: Plan, measures: Measures
) -> None:
    """A restart has no length of its own."""
    assert headline(with_process(slow_plan, action), measures).startswith(said)


@pytest.mark.parametrize(
    ("command", "given", "said"),
    [
        ("kill", {}, "payments killed for 2 s: "),
        ("rm", {}, "payments removed for 2 s: "),
        ("restart", {}, "payments restarted: "),
        ("iptables loss", {"probability": 0.3}, "iptables loss on payments for 2 s: "),
    ],
)
def test_a_fault_by_pumba_is_named_by_its_effect(
    command: str, given: dict[str, object], said: str, slow_plan: Plan, measures: Measures
) -> None:
    """It reads like a fault on processes if it has the same effect, else it names the command."""
    options = COMMANDS[command].complete(given)
    fault = PumbaFault(service="payments", command=command, options=options)
    planned = PlannedFault(id="hit", fault=fault, start_s=8, end_s=10)
    plan = slow_plan.model_copy(update={"faults": (planned,)})
    assert headline(plan, measures).startswith(said)


def test_a_repeated_fault_is_mentioned_once(slow_plan: Plan, measures: Measures) -> None:
    """With the number of times."""
    told = headline(with_process(slow_plan, "kill", times=3), measures)
    assert told.startswith("payments killed for 2 s, 3 times: ")


def test_without_a_recovery_phase_recovery_is_not_mentioned(
    slow_plan: Plan, measures: Measures
) -> None:
    """It is not reported as unknown."""
    phases = tuple(window for window in slow_plan.phases if window.phase != "recovery")
    without = slow_plan.model_copy(update={"phases": phases})
    assert "recover" in headline(slow_plan, measures)
    assert "recover" not in headline(without, measures)
