"""Which attempts show a fault: those on its link, or to the service whose processes it affects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from aguante.faults.planned_fault import PlannedFault
from aguante.faults.process import ProcessFault
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaFault
from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.measure.fault_evidence import measure_fault
from aguante.measure.run_evidence import RunEvidence, open_evidence
from aguante.plan.plan import Plan
from aguante.run_folder.events import STARTED_ANEW, FaultChanged, RunStarted
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import TestbedSpec

SPAN = """
    INSERT INTO spans BY NAME SELECT $trace AS trace_id, $service AS service, $kind AS kind,
    $link AS link, $error_link AS error_link, $origin AS origin, $error AS error_type,
    $at_s::DOUBLE AS start_s, $ms::DOUBLE AS ms, 1 AS attempt, 'fault' AS phase
"""
Action = Literal["kill", "stop", "pause", "restart"]


class Lab:
    """A plan with one fault from 8 s to 12 s, and the spans that a test adds."""

    def __init__(self, folder: Path, plan: Plan, shop: TestbedSpec) -> None:
        self._folder, self._plan, self._shop = RunFolder(folder), plan, shop
        self.evidence: RunEvidence

    def open(self, fault: PlannedFault, after: str = "", held_s: float = 8) -> None:
        events = (
            RunStarted(epoch_ns=0),
            FaultChanged(id=fault.id, action="applied", planned_s=8, began_s=8, at_s=held_s),
            FaultChanged(id=fault.id, action="undone", planned_s=12, at_s=12),
            FaultChanged(id=fault.id, action="verified", planned_s=12, at_s=12, evidence=after),
        )
        self._folder.events.write_text("".join(each.model_dump_json() + "\n" for each in events))
        plan = self._plan.model_copy(update={"faults": (fault,)})
        self.evidence = open_evidence(self._folder, plan, self._shop)

    def attempt(
        self, link: str, error: str, at_s: float = 9.0, trace: str = "t", ms: float = 10.0
    ) -> None:
        self._span(trace, link.split("-")[0], "client", error, at_s, ms, link=link)

    def response(self, service: str, link: str, error: str, trace: str = "t") -> None:
        self._span(trace, service, "server", error, 9.0, 10.0, error_link=link, origin=service)

    def _span(
        self, trace: str, service: str, kind: str, error: str, at_s: float, ms: float, **more: str
    ) -> None:
        named = {"link": "", "error_link": None, "origin": None, **more}
        self.evidence.rows(
            SPAN, trace=trace, service=service, kind=kind, error=error, at_s=at_s, ms=ms, **named
        )


@pytest.fixture
def lab(tmp_path: Path, slow_plan: Plan, shop: TestbedSpec) -> Iterator[Lab]:
    made = Lab(tmp_path, slow_plan, shop)
    yield made
    made.evidence.connection.close()


def process(action: Action, service: str = "inventory") -> PlannedFault:
    fault = ProcessFault(service=service, action=action)
    return PlannedFault(id="hit", fault=fault, start_s=8, end_s=12)


@pytest.mark.parametrize("link", ["reservations-inventory", "gateway-inventory"])
def test_a_killed_service_is_observed_on_any_link_to_it(link: str, lab: Lab) -> None:
    """Attempts of each of its callers show the fault."""
    lab.open(process("kill"))
    lab.attempt(link, "disconnected")
    seen = measure_fault(lab.evidence, process("kill"))
    assert (seen.injection_observed, seen.attempts_bitten, seen.attempts_in_window) == (True, 1, 1)
    assert (seen.kind, seen.service, seen.link) == ("kill", "inventory", "")


def test_a_killed_service_without_calls_is_not_observed(lab: Lab) -> None:
    """Calls to other services, its own to its database, and earlier calls do not count."""
    lab.open(process("kill"), after=f"inventory-1: pid 2 running, {STARTED_ANEW} (was 1)")
    lab.attempt("reservations-payments", "disconnected")
    lab.attempt("inventory-db", "database_unavailable")
    lab.attempt("reservations-inventory", "disconnected", at_s=7.0)
    lab.attempt("reservations-inventory", "", at_s=6.0)
    assert not measure_fault(lab.evidence, process("kill")).injection_observed


def test_attempts_count_from_the_moment_a_fault_is_applied(lab: Lab) -> None:
    """Docker reports the end of a container after its callers observe it, so the window opens when the kill is sent."""
    lab.open(process("kill"), held_s=8.4)
    lab.attempt("reservations-inventory", "disconnected", at_s=8.2)
    seen = measure_fault(lab.evidence, process("kill"))
    assert (seen.injection_observed, seen.actual_start_s, seen.actual_held_s) == (True, 8, 8.4)


@pytest.mark.parametrize(
    ("after", "observed"),
    [(f"inventory-1: pid 2 running, {STARTED_ANEW} (was 1)", True), ("inventory-1: pid 1", False)],
)
def test_a_restart_is_observed_by_the_new_process(after: str, observed: bool, lab: Lab) -> None:
    """A graceful restart may fail no attempt, but there is a new process."""
    lab.open(process("restart"), after=after)
    lab.attempt("reservations-inventory", "")
    assert measure_fault(lab.evidence, process("restart")).injection_observed is observed


def by_pumba(command: str, **given: object) -> PlannedFault:
    options = COMMANDS[command].complete(given)
    fault = PumbaFault(service="payments", command=command, options=options)
    return PlannedFault(id="hit", fault=fault, start_s=8, end_s=12)


def test_a_container_that_pumba_killed_is_observed_by_its_callers(lab: Lab) -> None:
    """One cut attempt is enough if the baseline has none."""
    lab.open(by_pumba("kill"))
    lab.attempt("reservations-payments", "disconnected")
    seen = measure_fault(lab.evidence, by_pumba("kill"))
    assert (seen.injection_observed, seen.kind, seen.service, seen.link) == (
        *(True, "kill", "payments", ""),
    )


@pytest.mark.parametrize(("slower", "observed"), [(20, True), (8, False)])
def test_lost_packets_are_observed_as_a_shift_of_all_attempts(
    slower: int, observed: bool, lab: Lab
) -> None:
    """A loss of 30 % affects two of three attempts: 18 of 100 must be slower than the baseline's slowest."""
    planned = by_pumba("iptables loss", probability=0.3)
    lab.open(planned)
    for n in range(40):
        lab.attempt("reservations-payments", "", at_s=5 + n / 100)
    for n in range(100):
        lab.attempt(
            "reservations-payments", "timeout" if n < slower else "", at_s=8 + n / 50, ms=9.0
        )
    assert measure_fault(lab.evidence, planned).injection_observed is observed


@pytest.mark.parametrize(("late", "observed"), [(8, True), (4, False)])
def test_a_delay_that_ends_soon_affects_few_attempts(late: int, observed: bool, lab: Lab) -> None:
    """Of 3.5 s in 4 s, an eighth is delayed in full: 8 of 100 are enough; 4, after 0 of 60, may be chance."""
    toxic = ToxiproxyFault(
        link="reservations-payments", toxic="latency", attributes=(("latency", 3500),)
    )
    planned = PlannedFault(id="hit", fault=toxic, start_s=8, end_s=12)
    lab.open(planned)
    for n in range(60):
        lab.attempt("reservations-payments", "", at_s=5 + n / 100)
    for n in range(100):
        lab.attempt("reservations-payments", "timeout" if n < late else "", at_s=8 + n / 50)
    assert measure_fault(lab.evidence, planned).injection_observed is observed


def down() -> PlannedFault:
    fault = ToxiproxyFault(link="reservations-db", toxic="down")
    return PlannedFault(id="hit", fault=fault, start_s=8, end_s=12)


def test_an_unreachable_database_is_observed_in_the_callers_response(lab: Lab) -> None:
    """Without a connection there is no statement, and therefore no span of one."""
    lab.open(down())
    lab.response("reservations", "reservations-db", "database_unavailable")
    seen = measure_fault(lab.evidence, down())
    assert (seen.injection_observed, seen.attempts_bitten) == (True, 1)


def test_a_failed_statement_and_its_response_count_once(lab: Lab) -> None:
    """The response of another service does not count."""
    lab.open(down())
    lab.attempt("reservations-db", "database_unavailable")
    lab.response("reservations", "reservations-db", "database_unavailable")
    lab.response("gateway", "gateway-reservations", "database_unavailable")
    assert measure_fault(lab.evidence, down()).attempts_in_window == 1
