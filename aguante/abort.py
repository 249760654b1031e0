"""Ends a run early when one of its ``abort_when`` conditions holds: the blast radius has a limit.

Conditions are judged on the unfinished run folder by the same code that judges expectations afterwards.
A condition is asked once there are MIN_N requests behind it, so that a first failure is no catastrophe.
"""

import asyncio

from aguante.measure.answers import answer_all
from aguante.measure.evidence import open_evidence
from aguante.measure.facts import EvidenceError
from aguante.plan import Plan
from aguante.runfolder import RunFolder
from aguante.spec.experiment import Experiment
from aguante.testbed import TestbedSpec
from aguante.timeline import Clock
from aguante.verdict.kinds import rule, sentence

EVERY_S = 1.0
MIN_N = 20


def abort_reason(folder: RunFolder, plan: Plan, experiment: Experiment, spec: TestbedSpec) -> str:
    """The first abort condition that holds on what is recorded so far, as a sentence; empty: none does.

    Raises:
        EvidenceError: the folder cannot be read.
    """
    evidence = open_evidence(folder, plan, spec)
    try:
        answers = answer_all(evidence, experiment.abort_when)
    finally:
        evidence.connection.close()
    for clause, answer in zip(experiment.abort_when, answers, strict=True):
        ruling = rule(clause.expectation, answer)
        if ruling.outcome == "met" and answer.n >= MIN_N:
            return f"abort condition: {sentence(clause.expectation)} (observed {ruling.observed})"
    return ""


class AbortWatch:
    """Asks the conditions of one experiment while it is played."""

    def __init__(
        self, folder: RunFolder, plan: Plan, experiment: Experiment, spec: TestbedSpec
    ) -> None:
        self._asked = (folder, plan, experiment, spec)
        self._active = bool(experiment.abort_when)
        self.reason = ""
        """Why the run was aborted, or empty."""

    async def run(self, clock: Clock, stop: asyncio.Event) -> None:
        """Ask every EVERY_S seconds and set ``stop`` when a condition holds; ends with ``stop``."""
        if not self._active:
            return
        at_s = EVERY_S
        while await clock.wait_until(at_s, stop):
            self.reason = await asyncio.to_thread(self._ask)
            if self.reason:
                stop.set()
            at_s = clock.now_s() + EVERY_S

    def _ask(self) -> str:
        try:
            return abort_reason(*self._asked)
        except EvidenceError as error:
            return f"abort conditions cannot be judged: {error}"
