"""Ends a run early when one of its ``abort_when`` conditions holds: the blast radius has a limit.

Conditions about requests are judged on those so far by the same code that judges expectations afterwards.
Each is asked once there are MIN_N requests behind it, so that a first failure is no catastrophe. What only
spans or the whole run can tell is asked when the run is over (``aguante.experiment.live_conditions``).
"""

import asyncio

from aguante.experiment.experiment import Experiment
from aguante.experiment.live_conditions import is_live
from aguante.measure.evidence import Evidence
from aguante.measure.live_evidence import LiveEvidence
from aguante.measure.measurements import answer
from aguante.plan.plan import Plan
from aguante.plan.schedule import Clock
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.kinds import rule, sentence

EVERY_S = 1.0
MIN_N = 20


def abort_reason(evidence: Evidence, experiment: Experiment) -> str:
    """The first live abort condition that holds on what is recorded so far, as a sentence; empty: none does."""
    for at, clause in enumerate(experiment.abort_when):
        if not is_live(clause):
            continue
        told = answer(evidence, at, clause.expectation)
        ruling = rule(clause.expectation, told)
        if ruling.outcome == "met" and told.n >= MIN_N:
            return f"abort condition: {sentence(clause.expectation)} (observed {ruling.observed})"
    return ""


class AbortWatch:
    """Asks the conditions of one experiment while it is played."""

    def __init__(
        self, folder: RunFolder, plan: Plan, experiment: Experiment, spec: TestbedSpec
    ) -> None:
        self._run, self._experiment = (folder, plan, spec), experiment
        self._active = any(map(is_live, experiment.abort_when))
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
            return abort_reason(live.refresh(), self._experiment)
        except EvidenceError as error:
            return f"abort conditions cannot be judged: {error}"
