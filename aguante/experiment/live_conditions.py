"""Which abort conditions can end a run while it is played, and which are judged when it is over."""

from collections.abc import Iterator

from aguante.experiment.experiment import Experiment

LATE = "is asked when the run is over: it can make it inconclusive, and ends nothing early"


def late_conditions(experiment: Experiment) -> Iterator[str]:
    """A sentence for each abort condition that cannot end the run early: ``abort_when[1].breaker is asked ...``."""
    for at, clause in enumerate(experiment.abort_when):
        if not clause.expectation.live:
            yield f"abort_when[{at}].{clause.expectation.kind} {LATE}"
