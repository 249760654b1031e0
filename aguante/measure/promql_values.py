"""The answer to a ``promql`` expectation: one number from the values that Prometheus gave over the window."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from aguante.collect.promql_samples import Recorded, read_promql
from aguante.expectations.clauses import Promql
from aguante.measure.measures import Answer
from aguante.run_folder.run_log import EvidenceError

Reduce = Callable[[Sequence[float]], float]
_REDUCE: Mapping[str, Reduce] = {
    "last": lambda values: values[-1],
    "max": max,
    "min": min,
    "mean": lambda values: sum(values) / len(values),
}
NOT_ASKED = "the run ended before Prometheus was asked"


def load_promql(path: Path) -> tuple[Recorded, ...]:
    """What was recorded of Prometheus's answers.

    Raises:
        EvidenceError: the file is there and cannot be read.
    """
    try:
        return read_promql(path)
    except (msgspec.MsgspecError, OSError) as error:
        message = f"{path}: Prometheus's answers cannot be read: {error}"
        raise EvidenceError(message) from error


def answer_promql(asked: Promql, recorded: Recorded | None) -> Answer:
    """Reduce the window's values, of those that are numbers; anything but one series is no answer. Pure.

    >>> line = Recorded(query="q", start_s=8, end_s=10, series=1,
    ...                 points=((8.0, 0.1), (9.0, 0.4), (10.0, None)))
    >>> answer_promql(Promql(query="q", phase="fault", reduce="max", min=0.2), line).observed
    0.4
    """
    why = _no_answer(recorded)
    if recorded is None or why:
        return Answer(index=0, n=0, observed=None, unknown_because=why)
    values = [value for _, value in recorded.points if value is not None]
    observed = _REDUCE[asked.reduce](values)
    detail = (
        f"{asked.reduce} of {len(values)} values from {recorded.start_s:g} to {recorded.end_s:g} s"
        f" ({min(values):g} to {max(values):g})"
    )
    return Answer(index=0, n=len(values), observed=observed, detail=detail)


def _no_answer(recorded: Recorded | None) -> str:
    if recorded is None:
        return NOT_ASKED
    if recorded.error:
        return recorded.error
    if not recorded.series:
        return "the query gave no series in this window (`or vector(0)` makes a 0 of that, where it means 0)"
    if recorded.series > 1:
        named = ", ".join(_name(each) for each in recorded.labels)
        more = ", ..." if recorded.series > len(recorded.labels) else ""
        return f"the query gave {recorded.series} series ({named}{more}): make one of them, e.g. by sum()"
    if not any(value is not None for _, value in recorded.points):
        return "the query gave no number in this window (a share of nothing?)"
    return ""


def _name(labels: Mapping[str, str]) -> str:
    inner = ",".join(f"{key}={value}" for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels.get('__name__', '')}{{{inner}}}"
