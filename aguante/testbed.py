"""TestbedSpec: the system under test as ``testbed.yaml`` describes it. The runner knows nothing else of it."""

from pathlib import Path
from typing import Literal

from aguante.values import Value

REPLICAS_MAX = 8
"""Of one service: 8 of each of five still fit into the ports of one native testbed."""


class LinkSpec(Value):
    """One edge: one Toxiproxy proxy."""

    name: str
    caller: str
    callee: str
    kind: Literal["http", "postgresql"]
    port: int
    """Where the proxy listens in containers; natively free ports are picked."""


class ServiceSpec(Value):
    """One service."""

    name: str
    module: str
    """``python -m <module>`` starts it natively."""
    port: int
    """In containers."""


class DatabaseSpec(Value):
    """One PostgreSQL database; callee of the link ``<name>-db``."""

    name: str


class LoadSpec(Value):
    """How load is made."""

    locustfile: Path
    profiles: tuple[str, ...] = ()
    """Names that ``load.profile`` may have; empty: only the load generator itself checks them."""
    operations: tuple[str, ...] = ()
    """Names that ``load.mix`` may have; empty: only the load generator itself checks them."""


class LintSpec(Value):
    """How ``aguante lint`` checks a policy: ``python -m <module> FILE...`` in the testbed's folder.

    It prints a ``LintReport`` (``aguante/commands/lint.py``) as JSON to stdout.
    """

    module: str


class SetupRequest(Value):
    """One HTTP request per event, sent to the service's own (unproxied) address before load starts."""

    service: str
    method: str
    path: str
    body: dict[str, int | str]


class SetupSpec(Value):
    """What must exist before load starts. ``{event_id}`` and ``{capacity}`` are filled in."""

    events: int
    capacity: int
    request: SetupRequest


class SettleSpec(Value):
    """When the system counts as being at rest."""

    within_s: float
    database: str
    query: Path


class InvariantSpec(Value):
    """A query whose rows are violations; its comment line ``-- exposure:`` counts what it was tried on."""

    name: str
    sql: Path


class ReportSpec(Value):
    """A query whose rows are told as they are: ``at`` is when each happened, ``story`` what a terminal shows of it."""

    name: str
    sql: Path


class TestbedSpec(Value):
    """The whole of ``testbed.yaml``, paths resolved against its folder (``root``)."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    root: Path
    name: str
    links: tuple[LinkSpec, ...]
    services: tuple[ServiceSpec, ...]
    databases: tuple[DatabaseSpec, ...]
    entry: str
    policies: Path
    lint: LintSpec | None = None
    """None: the testbed has no such check."""
    load: LoadSpec
    setup: SetupSpec
    problem_json: bool
    mechanisms: tuple[str, ...]
    client_mechanisms: tuple[str, ...]
    settle: SettleSpec
    invariants: tuple[InvariantSpec, ...]
    reports: tuple[ReportSpec, ...] = ()
    """``aguante reconcile`` tells the one of that name."""
