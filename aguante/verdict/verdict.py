"""``verdict.json``: the public, versioned result of a run. Its JSON Schema is made from these classes."""

from typing import Literal

from aguante.core.values import Value
from aguante.expectations.amplification import LinkAmplification
from aguante.expectations.breaker import BreakerTransition
from aguante.expectations.evidence import LoadMeasure
from aguante.expectations.recovery import RecoveryMeasure
from aguante.expectations.ruling import Outcome
from aguante.measure.measures import (
    AttributionMeasure,
    FaultMeasure,
    InvariantMeasure,
    PhaseMeasure,
)

FORMAT_VERSION = 1

VerdictWord = Literal["held", "deviated", "inconclusive"]


class ExpectationResult(Value):
    """One expectation, judged."""

    text: str
    """The expectation on one line, e.g. ``rate of 504 in fault >= 2 %``."""
    kind: str
    where: str
    """``file:line`` of the expectation."""
    outcome: Outcome
    observed: str
    """With unit, e.g. ``6.1 %`` or ``38 ms``; ``-`` when unknown."""
    required: str
    """E.g. ``>= 2 %``."""
    observed_value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str
    """One sentence: why it is unmet or unknown, or the evidence."""


class InvariantResult(Value):
    """One invariant, judged: ``held``, ``violated`` or ``unknown``."""

    name: str
    outcome: Literal["held", "violated", "unknown"]
    measure: InvariantMeasure


class Verdict(Value):
    """The judgement of one run, with its evidence."""

    format_version: int = FORMAT_VERSION
    run_id: str
    experiment: str
    title: str
    runtime: str
    policy: str
    seed: int
    verdict: VerdictWord
    expected_verdict: VerdictWord
    reasons: tuple[str, ...]
    """Most important first; each a full sentence."""
    headline: str
    """One paragraph that sums up the run in numbers."""
    expectations: tuple[ExpectationResult, ...]
    invariants: tuple[InvariantResult, ...]
    phases: tuple[PhaseMeasure, ...]
    attribution: AttributionMeasure
    amplification: tuple[LinkAmplification, ...]
    breakers: tuple[BreakerTransition, ...]
    recovery: RecoveryMeasure
    load: LoadMeasure
    faults: tuple[FaultMeasure, ...]

    @property
    def exit_code(self) -> int:
        """0: the expected verdict. Else 1 for ``deviated`` (or an unexpected ``held``), 2 for ``inconclusive``."""
        if self.verdict == self.expected_verdict:
            return 0
        return 2 if self.verdict == "inconclusive" else 1
