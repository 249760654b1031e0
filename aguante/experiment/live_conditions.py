"""Which abort conditions can end a run while it is played, and which are asked when it is over."""

from collections.abc import Iterator

from aguante.expectations.clauses import Clause, Goodput, Latency, Rate
from aguante.experiment.experiment import Experiment

LIVE = (Rate, Latency, Goodput)
"""What the requests so far can tell. Everything else needs spans, which are decoded after the run, or its end."""

LATE = "is asked when the run is over: it can make it inconclusive, and ends nothing early"


def is_live(clause: Clause) -> bool:
    """Whether a condition is asked each second."""
    return isinstance(clause.expectation, LIVE)


def late_conditions(experiment: Experiment) -> Iterator[str]:
    """A sentence for each abort condition that cannot end the run early: ``abort_when[1].breaker is asked ...``."""
    for at, clause in enumerate(experiment.abort_when):
        if not is_live(clause):
            (kind,) = clause.model_fields_set
            yield f"abort_when[{at}].{kind} {LATE}"
