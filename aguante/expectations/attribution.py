"""``attribution``: how many failures say where they came from."""

from typing import ClassVar

from aguante.expectations.evidence import Evidence
from aguante.expectations.expectation import Expectation, PhaseName, Share
from aguante.expectations.measurement import Measurement
from aguante.expectations.ruling import Ruling, bound_percent, bounded, percent

NAMED = "origin <> '' AND list_contains($mechanisms::VARCHAR[], mechanism)"
"""A failure that names who decided it, and a known mechanism."""

_ATTRIBUTED = """
    SELECT count(*), count(*) FILTER ({named}) FROM requests
    WHERE status <> 200 AND ($phase::VARCHAR IS NULL OR phase = $phase)
""".replace("{named}", NAMED)


class Attribution(Expectation):
    """Share of the non-200 responses that name their origin and mechanism."""

    kind: ClassVar[str] = "attribution"
    phase: PhaseName | None = None
    min: Share

    def text(self) -> str:
        """``failures in fault that name origin and mechanism``."""
        where = f" in {self.phase}" if self.phase else ""
        return f"failures{where} that name origin and mechanism"

    def required(self) -> str:
        """``>= 99 %``."""
        return f">= {bound_percent(self.min)}"

    def measure(self, evidence: Evidence) -> Measurement:
        """By the responses alone; a run without failures cannot show it."""
        failures, attributed = count_attributed(evidence, self.phase)
        if not failures:
            return Measurement.unknown("no request failed, so there was nothing to attribute")
        detail = f"{attributed} of {failures} failures name origin and mechanism"
        return Measurement(n=failures, observed=attributed / failures, detail=detail)

    def decide(self, seen: Measurement) -> Ruling:
        """The share itself is judged."""
        return bounded(seen, percent, low=self.min)


def count_attributed(evidence: Evidence, phase: str | None = None) -> tuple[int, int]:
    """(failures, those that name their origin and a known mechanism); None: of every phase."""
    known = known_mechanisms(evidence)
    failures, attributed = evidence.row(_ATTRIBUTED, mechanisms=known, phase=phase)
    return failures, attributed


def known_mechanisms(evidence: Evidence) -> list[str]:
    """The mechanisms of the testbed, and those that the client itself reports."""
    return [*evidence.testbed.mechanisms, *evidence.testbed.client_mechanisms]
