"""TestbedSpec: the system under test as ``testbed.yaml`` describes it. The runner knows nothing else of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from aguante.core.values import Value
from aguante.core.yaml_files import named_yaml, yaml_files

EVERY_SERVICE, COLLECTOR = "services", "telemetry"
"""Caller and callee of the link whose kind is ``otlp``."""
REPLICAS_MAX = 8
"""Of one service: 8 of each of five still fit into the ports of one native testbed."""


class LinkSpec(Value):
    """One edge: one Toxiproxy proxy."""

    name: str
    caller: str
    callee: str
    kind: Literal["http", "postgresql", "otlp"]
    """``otlp``: the way of every service's spans to their collector; at most one, and nobody's request takes it."""
    port: int
    """Where the proxy listens in containers; natively free ports are picked."""
    variable: str = ""
    """Environment variable that gives the caller the proxy's address; empty: ``LINK_<CALLER>_<CALLEE>``."""


class ServiceSpec(Value):
    """One service."""

    name: str
    module: str
    """``python -m <module>`` starts it natively."""
    port: int
    """In containers."""
    alive_path: str = "/healthz"
    """Answers 200 as soon as the process listens."""
    ready_path: str = "/readyz"
    """Answers 200 when it can serve."""


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

    It prints a ``LintReport`` (``aguante/cli/commands/lint.py``) as JSON to stdout.
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

    events: int = 1
    capacity: int = 1
    sold_out: bool = False
    """Create one more event of capacity 0 for operations that must find it sold out (``seed_events.py`` names it)."""
    request: SetupRequest | None = None
    """None: nothing must exist; load is given event ids all the same."""


class SettleSpec(Value):
    """When the system counts as being at rest."""

    within_s: float = 0.0
    database: str = ""
    query: Path | None = None
    """None: there is nothing to ask, and nothing to wait for."""


class InvariantSpec(Value):
    """A query whose rows are violations; its comment line ``-- exposure:`` counts what it was tried on."""

    name: str
    sql: Path


class ReportSpec(Value):
    """A query whose rows are told as they are: ``at`` is when each happened, ``story`` what a terminal shows of it."""

    name: str
    sql: Path


class PumbaSpec(Value):
    """Where Pumba is, and the images of its helper containers; each has a variable that goes before it."""

    program: str = "pumba"
    """A path, or a name on PATH. ``AGUANTE_PUMBA``."""
    image: str = "ghcr.io/alexei-led/pumba:1.1.7"
    """What runs where there is no such program. ``AGUANTE_PUMBA_IMAGE``."""
    tc_image: str = "ghcr.io/alexei-led/pumba-alpine-nettools:latest"
    """Has ``tc`` and ``tail``, for netem. ``AGUANTE_TC_IMAGE``.

    Pumba's own default. Its project gives this image no version: tags are ``latest`` and hashes of commits.
    """
    iptables_image: str = "ghcr.io/alexei-led/pumba-alpine-nettools:latest"
    """Has ``iptables`` and ``tail``. ``AGUANTE_IPTABLES_IMAGE``."""
    stress_image: str = "ghcr.io/alexei-led/stress-ng:0.20.01"
    """Has ``/stress-ng``, and ``/cg-inject`` for ``same_cgroup``. ``AGUANTE_STRESS_IMAGE``."""

    def with_overrides_from(self, environment: Mapping[str, str]) -> "PumbaSpec":
        """The same, with what the variables say in place of it."""
        names = {
            "program": "AGUANTE_PUMBA",
            "image": "AGUANTE_PUMBA_IMAGE",
            "tc_image": "AGUANTE_TC_IMAGE",
            "iptables_image": "AGUANTE_IPTABLES_IMAGE",
            "stress_image": "AGUANTE_STRESS_IMAGE",
        }
        given = {key: environment.get(name) for key, name in names.items()}
        return self.model_copy(update={key: value for key, value in given.items() if value})


class TestbedSpec(Value):
    """The whole of ``testbed.yaml``, paths resolved against its folder (``root``)."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    root: Path
    given: str = ""
    """Its path as ``--testbed`` gave it, for a command that can be repeated; empty: it was found without."""
    name: str
    links: tuple[LinkSpec, ...]
    services: tuple[ServiceSpec, ...]
    databases: tuple[DatabaseSpec, ...] = ()
    entry: str
    policies: Path
    lint: LintSpec | None = None
    """None: the testbed has no such check."""
    load: LoadSpec
    setup: SetupSpec = SetupSpec()
    problem_json: bool
    """Whether failures say in their body where they came from; if not, spans are asked (``error_types``)."""
    error_types: dict[str, str] = Field(default_factory=dict)
    """OTel's ``error.type`` (or ``status:503``) of a span -> mechanism, where the body does not say."""
    mechanisms: tuple[str, ...]
    client_mechanisms: tuple[str, ...]
    settle: SettleSpec = SettleSpec()
    pumba: PumbaSpec = PumbaSpec()
    compose: Path | None = None
    """The compose file of `--runtime compose`; None: the testbed has none. Looked at when it is used: whoever
    plays natively, or in a container, may do without the file."""
    invariants: tuple[InvariantSpec, ...] = ()
    reports: tuple[ReportSpec, ...] = ()
    """``aguante reconcile`` tells the one of that name."""
    rules: Path | None = None
    """Folder of ``*.yml`` files with recording rules and alerts, for Prometheus; None: there are none."""

    @property
    def call_links(self) -> tuple[LinkSpec, ...]:
        """The links that requests take: all but the one of the spans."""
        return tuple(each for each in self.links if each.kind != "otlp")

    @property
    def ready_paths(self) -> dict[str, str]:
        """By service: what it answers 200 at when it can serve."""
        return {each.name: each.ready_path for each in self.services}

    @property
    def telemetry_link(self) -> LinkSpec | None:
        """The link of the spans; None: services post them to the collector itself, and no fault can reach that."""
        return next((each for each in self.links if each.kind == "otlp"), None)

    @property
    def policy_names(self) -> tuple[str, ...]:
        """The policies that are there now, in order of name."""
        return tuple(sorted({path.stem for path in yaml_files(self.policies)}))

    def policy_file(self, name: str) -> Path:
        """The file of a policy."""
        return named_yaml(self.policies, name)
