"""The safety invariants of a testbed, checked on its databases as they are now or as a run recorded them.

The SQL is the same as in a run: each row of a query is a violation. Only the client's ledger has the responses that
clients received; without it, the invariants that query it are unknown.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal

import duckdb

from aguante.core.values import Value
from aguante.measure.audit.invariants import check_invariant, load_tables
from aguante.measure.audit.ledger import load_ledger
from aguante.measure.measures import InvariantMeasure
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import InvariantSpec, TestbedSpec

NO_LEDGER = (
    "it checks the responses that clients received; give their ledger (--ledger requests.jsonl)"
)
NOTHING_TRIED = "nothing in the data could have violated it"
_ASKS_LEDGER = re.compile(r"\bclient\.requests\b")


class AuditedInvariant(Value):
    """One invariant, judged."""

    name: str
    outcome: Literal["held", "violated", "unknown"]
    because: str = ""
    """Why it is unknown, or empty."""
    exposure: int
    """How many rows could have violated it."""
    violations: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first 20 offending rows, as text."""


class Audit(Value):
    """The result of an audit; ``aguante audit --json`` prints it."""

    subject: str
    """What was audited: ``testbed 017-3fa9``, or a run folder."""
    settled: bool | None
    """Whether the system had settled; None: nobody waited for it."""
    invariants: tuple[AuditedInvariant, ...]

    @property
    def violated(self) -> bool:
        """Whether an invariant is violated, or the system did not settle in time."""
        return self.settled is False or any(e.outcome == "violated" for e in self.invariants)

    def open_questions(self, named: Collection[str]) -> tuple[str, ...]:
        """Each invariant that should have been checked and is unknown, as a sentence.

        Args:
            named: invariants that were chosen by name. The others may be unknown because nothing could have
                violated them, or because no ledger was given; but not all of them at once.
        """
        questions = [
            f"{each.name} is unknown: {each.because}"
            for each in self.invariants
            if each.outcome == "unknown"
            and (each.name in named or each.because not in (NO_LEDGER, NOTHING_TRIED))
        ]
        if not questions and all(each.outcome == "unknown" for each in self.invariants):
            questions.append("no invariant could be checked; make some reservations first")
        return tuple(questions)


def audit(
    subject: str,
    spec: TestbedSpec,
    tables: Path,
    *,
    ledger: Path | None,
    settled: bool | None,
    wanted: Iterable[InvariantSpec] | None = None,
) -> Audit:
    """Judge invariants on recorded tables.

    Args:
        subject: what is audited, in words.
        spec: the testbed.
        tables: folder that ``dump_tables`` wrote.
        ledger: RequestRecords, one JSON object a line; None: there is none.
        settled: whether the system had settled when the tables were read; None: not known.
        wanted: the invariants to check; None: all.

    Raises:
        EvidenceError: the ledger cannot be read, or the tables are missing or cannot be read.
    """
    chosen = spec.invariants if wanted is None else tuple(wanted)
    with duckdb.connect() as connection:
        _load(connection, spec, tables, ledger)
        judged = tuple(_judge(connection, each, ledger) for each in chosen)
    return Audit(subject=subject, settled=settled, invariants=judged)


def _load(
    connection: duckdb.DuckDBPyConnection, spec: TestbedSpec, tables: Path, ledger: Path | None
) -> None:
    trouble = load_tables(connection, tables, [database.name for database in spec.databases])
    if trouble:
        message = f"the tables in {tables} cannot be read: {trouble}"
        raise EvidenceError(message)
    if ledger is None:
        return
    try:
        load_ledger(connection, ledger)
    except (duckdb.Error, OSError) as error:
        message = f"the ledger {ledger} cannot be read: {error}; expected one RequestRecord a line"
        raise EvidenceError(message) from error


def _judge(
    connection: duckdb.DuckDBPyConnection, spec: InvariantSpec, ledger: Path | None
) -> AuditedInvariant:
    if ledger is None and _ASKS_LEDGER.search(spec.sql.read_text(encoding="utf-8")):
        measure = InvariantMeasure(
            name=spec.name, exposure=0, violations=0, columns=(), rows=(), error=NO_LEDGER
        )
    else:
        measure = check_invariant(connection, spec)
    because = measure.error or ("" if measure.exposure else NOTHING_TRIED)
    outcome: Literal["held", "violated", "unknown"] = "unknown" if because else "held"
    if measure.violations:
        outcome, because = "violated", ""
    return AuditedInvariant(
        name=measure.name,
        outcome=outcome,
        because=because,
        exposure=measure.exposure,
        violations=measure.violations,
        columns=measure.columns,
        rows=measure.rows,
    )
