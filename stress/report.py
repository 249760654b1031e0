"""A storm's result as text."""

from collections.abc import Iterator

from aguante.measure.measures import InvariantMeasure
from stress.result import Result, Tally


def report_text(result: Result) -> str:
    """The summary that a storm prints at its end."""
    return "\n".join(_lines(result))


def _lines(result: Result) -> Iterator[str]:
    tally = result.tally
    yield f"orders               {tally.orders:6}   in {tally.requests} requests"
    for outcome, number in tally.outcomes.items():
        yield f"  {outcome:24} {number:6}"
    yield from _after(tally)
    yield f"kills                {tally.kills:6}   {tally.between} of them between pay and confirm"
    yield f"toxics               {tally.toxics:6}"
    how = "settled after" if result.settled.settled else "NOT SETTLED after"
    yield f"{how} {result.settled.took_s:.1f} s"
    for each in result.invariants:
        yield from _invariant(each)
    if not result.objections:
        yield f"held: seed {result.seed}, 0 violations"
    for objection in result.objections:
        yield f"BROKEN: seed {result.seed}: {objection}"


def _after(tally: Tally) -> Iterator[str]:
    def number(table: str, state: str) -> int:
        return tally.states.get((table, state), 0)

    yield (
        f"sagas                        confirmed {number('sagas', 'CONFIRMED')}, "
        f"compensated {number('sagas', 'COMPENSATED')}, aborted {number('sagas', 'ABORTED')}; "
        f"taken over from a lost owner {tally.recovered}"
    )
    yield (
        f"charges                      captured {number('charges', 'CAPTURED')}, "
        f"refunded {number('charges', 'REFUNDED')}, declined {number('charges', 'DECLINED')}, "
        f"forbidden {number('charges', 'VOIDED')}"
    )
    yield (
        f"seats                        allocated {number('allocations', 'ALLOCATED')}, "
        f"released {number('allocations', 'RELEASED')}, forbidden {number('allocations', 'VOIDED')}"
    )
    yield f"answers repeated     {tally.repeated:6}   for the same key"


def _invariant(measure: InvariantMeasure) -> Iterator[str]:
    outcome = measure.error or f"{measure.violations} violations"
    yield f"  {measure.name:34} {outcome}, checked on {measure.exposure}"
    if measure.rows:
        yield "    " + " | ".join(measure.columns)
    for row in measure.rows:
        yield "    " + " | ".join(row)
