"""Ends a run early when one of its ``abort_when`` conditions is met.

Conditions on requests are judged on the requests so far, by the code that judges expectations after the run. A
condition needs at least MIN_N requests, so that a single early failure does not abort a run. Conditions that need
spans or the whole run are judged after it.
"""

import asyncio

from aguante.measure.live_evidence import LiveEvidence
from aguante.measure.run_evidence import RunEvidence
from aguante.plan.plan import Plan
from aguante.plan.schedule import Clock
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import TestbedSpec

EVERY_S = 1.0
MIN_N = 20


def abort_reason(evidence: RunEvidence, plan: Plan) -> str:
    """The first live abort condition that is met by the evidence so far, as a sentence; empty: none is."""
    for condition in (each.asked for each in plan.abort_when if each.asked.live):
        measured = condition.measure(evidence)
        ruling = condition.judge(measured)
        if ruling.outcome == "met" and measured.n >= MIN_N:
            return f"abort condition: {condition.sentence()} (observed {ruling.observed})"
    return ""


class AbortMonitor:
    """Judges the abort conditions of a plan during the run."""

    def __init__(self, folder: RunFolder, plan: Plan, spec: TestbedSpec) -> None:
        self._run, self._plan = (folder, plan, spec), plan
        self._active = any(each.asked.live for each in plan.abort_when)
        self.reason = ""
        """Why the run was aborted, or empty."""

    async def run(self, clock: Clock, stop: asyncio.Event) -> None:
        """Judge every EVERY_S seconds and set ``stop`` when a condition is met; ends with ``stop``."""
        if not self._active:
            return
        # Never closed explicitly: a thread may still be reading it when this task is cancelled.
        live = await asyncio.to_thread(LiveEvidence, *self._run)
        at_s = EVERY_S
        while await clock.wait_until(at_s, stop):
            self.reason = await asyncio.to_thread(self._judge, live)
            if self.reason:
                stop.set()
            at_s = clock.now_s() + EVERY_S

    def _judge(self, live: LiveEvidence) -> str:
        try:
            return abort_reason(live.refresh(), self._plan)
        except EvidenceError as error:
            return f"abort conditions cannot be judged: {error}"
