"""Checks the testbed's invariants on a storm's final tables and on its client's ledger."""

from collections.abc import Iterator
from contextlib import contextmanager

from aguante.collect.database_dump import dump_tables
from aguante.measure.audit.invariants import measure_invariants
from aguante.measure.measures import InvariantMeasure
from aguante.measure.run_evidence import RunEvidence, open_evidence
from aguante.plan.plan import Plan, PlannedLoad, PlannedSetup, Window
from aguante.run_folder.folder import RunFolder
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec

END_S = 86_400.0
"""The one phase of a storm covers a day, longer than any storm lasts."""

Audit = tuple[InvariantMeasure, ...]


async def take_tables(testbed: Testbed, folder: RunFolder) -> None:
    """Write every table of every database into the folder.

    Raises:
        DumpError: a database cannot be read.
    """
    await dump_tables(testbed.databases, folder.tables)


@contextmanager
def opened(spec: TestbedSpec, folder: RunFolder) -> Iterator[tuple[RunEvidence, Audit]]:
    """The folder as SQL tables (``client.requests``, ``reservations.sagas`` ...), and its measured invariants.

    Raises:
        EvidenceError: an existing file of the folder cannot be read.
    """
    evidence = open_evidence(folder, _plan(folder.root.name, spec), spec)
    try:
        yield evidence, measure_invariants(evidence, folder, spec.invariants)
    finally:
        evidence.connection.close()


def audit(spec: TestbedSpec, folder: RunFolder) -> Audit:
    """Measure every invariant of the testbed on a folder's tables and ledger.

    Raises:
        EvidenceError: an existing file of the folder cannot be read.
    """
    with opened(spec, folder) as (_, measures):
        return measures


def violations(measures: Audit) -> int:
    """The number of rows that break an invariant; an invariant that could not be read counts as one."""
    return sum(each.violations or bool(each.error) for each in measures)


def _plan(run_id: str, spec: TestbedSpec) -> Plan:
    return Plan(
        run_id=run_id,
        experiment="storm",
        title="The storm",
        learn="Nothing is lost, whatever breaks.",
        source="",
        policy="",
        seed=0,
        setup=PlannedSetup(events=spec.setup.events, capacity=spec.setup.capacity),
        expect=(),
        phases=(Window(phase="storm", start_s=0, end_s=END_S),),
        faults=(),
        load=PlannedLoad(profile="storm", rate_rps=1, duration_s=END_S, mix=()),
    )
