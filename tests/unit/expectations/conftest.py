"""Fixtures for the tests of the kinds."""

from pathlib import Path

import msgspec
import pytest
from small_ledger import FAULT_S, Measure

from aguante.expectations.expectation import Expectation
from aguante.expectations.measurement import Measurement
from aguante.load_protocol.records import RequestRecord
from aguante.measure.run_evidence import open_evidence
from aguante.plan.plan import Plan
from aguante.run_folder.events import CollectorClosed, FaultChanged, RunStarted
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import TestbedSpec


@pytest.fixture
def measured(tmp_path: Path, slow_plan: Plan, shop: TestbedSpec) -> Measure:
    """Measures an expectation on a run of payments-slow with only these requests; its fault began on time."""

    def measure(asked: Expectation, *requests: RequestRecord, dropped: int = 0) -> Measurement:
        folder = RunFolder(tmp_path)
        folder.records.write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in requests))
        fault = slow_plan.faults[0].id
        events = (
            RunStarted(epoch_ns=0),
            FaultChanged(id=fault, action="applied", planned_s=FAULT_S, at_s=FAULT_S),
            CollectorClosed(requests=1, bytes=1, spans_dropped=dropped),
        )
        folder.events.write_text("".join(each.model_dump_json() + "\n" for each in events))
        evidence = open_evidence(folder, slow_plan, shop)
        try:
            return asked.measure(evidence)
        finally:
            evidence.connection.close()

    return measure
