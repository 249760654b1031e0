"""Ends a run early when one of its ``abort_when`` conditions holds: the blast radius has a limit.

Conditions about requests are judged on those so far by the same code that judges expectations afterwards.
Each is asked once there are MIN_N requests behind it, so that a first failure is no catastrophe. What only
spans or the whole run can tell is asked when the run is over.
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
    """The first live abort condition that holds on what is recorded so far, as a sentence; empty: none does."""
    for asked in (each.asked for each in plan.abort_when if each.asked.live):
        seen = asked.measure(evidence)
        ruling = asked.judge(seen)
        if ruling.outcome == "met" and seen.n >= MIN_N:
            return f"abort condition: {asked.sentence()} (observed {ruling.observed})"
    return ""


class AbortWatch:
    """Judges the abort conditions of a plan while it is played."""

    def __init__(self, folder: RunFolder, plan: Plan, spec: TestbedSpec) -> None:
        self._run, self._plan = (folder, plan, spec), plan
        self._active = any(each.asked.live for each in plan.abort_when)
        self.reason = ""
        """Why the run was aborted, or empty."""

    async def run(self, clock: Clock, stop: asyncio.Event) -> None:
        """Ask every EVERY_S seconds and set ``stop`` when a condition holds; ends with ``stop``."""
        if not self._active:
            return
        # Never closed by hand: a question may still be asked in its thread when this is cancelled.
        live = await asyncio.to_thread(LiveEvidence, *self._run)
        at_s = EVERY_S
        while await clock.wait_until(at_s, stop):
            self.reason = await asyncio.to_thread(self._ask, live)
            if self.reason:
                stop.set()
            at_s = clock.now_s() + EVERY_S

    def _ask(self, live: LiveEvidence) -> str:
        try:
            return abort_reason(live.refresh(), self._plan)
        except EvidenceError as error:
            return f"abort conditions cannot be judged: {error}"
