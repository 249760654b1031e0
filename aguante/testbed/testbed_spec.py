"""TestbedSpec: the system under test as ``testbed.yaml`` describes it. The runner knows nothing else about it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from aguante.core.values import Value
from aguante.core.yaml_files import named_yaml, yaml_files

EVERY_SERVICE, COLLECTOR = "services", "telemetry"
"""Caller and callee of the link whose kind is ``otlp``."""
REPLICAS_MAX = 8
"""Of one service: 8 of each of five still fit into the ports of one native testbed."""


def _below_root(value: object, info: ValidationInfo) -> object:
    """Resolve a path of a file against the ``root`` in the validation's context; without one, keep it."""
    return info.context["root"] / value if info.context and isinstance(value, str) else value


RootedPath = Annotated[Path, BeforeValidator(_below_root)]
"""A path that ``testbed.yaml`` gives relative to its own folder."""


class LinkSpec(Value):
    """One connection from a caller to a callee, through one Toxiproxy proxy."""

    name: str
    caller: str
    callee: str
    kind: Literal["http", "postgresql", "otlp"]
    """``otlp``: carries every service's spans to the collector, and no requests; at most one."""
    port: int
    """The port of the proxy in containers; the native runtime picks free ports."""
    variable: str = ""
    """Environment variable that gives the caller the proxy's address; empty: ``LINK_<CALLER>_<CALLEE>``."""


class ServiceSpec(Value):
    """One service."""

    name: str
    module: str
    """``python -m <module>`` starts it natively."""
    port: int
    """The port in containers."""
    alive_path: str = "/healthz"
    """Returns 200 as soon as the process listens."""
    ready_path: str = "/readyz"
    """Returns 200 when the service can handle requests."""


class DatabaseSpec(Value):
    """One PostgreSQL database; callee of the link ``<name>-db``."""

    name: str


class LoadSpec(Value):
    """The load generator."""

    locustfile: RootedPath
    profiles: tuple[str, ...] = ()
    """Allowed values of ``load.profile``; empty: only the load generator checks them."""
    operations: tuple[str, ...] = ()
    """Allowed names in ``load.mix``; empty: only the load generator checks them."""


class LintSpec(Value):
    """How ``aguante lint`` checks a policy: ``python -m <module> FILE...`` in the testbed's folder.

    The module prints a ``LintReport`` (``aguante/cli/commands/lint.py``) as JSON to stdout.
    """

    module: str


class SetupRequest(Value):
    """One HTTP request per event, sent to the service's own (unproxied) address before the load starts."""

    service: str
    method: str
    path: str
    body: dict[str, int | str]


class SetupSpec(Value):
    """What must exist before the load starts. ``{event_id}`` and ``{capacity}`` are replaced in the request."""

    events: int = 1
    capacity: int = 1
    sold_out: bool = False
    """Create one more event of capacity 0, for operations on a sold-out event (``seed_events.py`` names it)."""
    request: SetupRequest | None = None
    """None: nothing must exist; the load generator still receives event ids."""


class SettleSpec(Value):
    """When the system counts as settled."""

    within_s: float = 0.0
    database: str = ""
    query: RootedPath | None = None
    """None: the system counts as settled at once."""


class InvariantSpec(Value):
    """A query whose rows are violations; its comment line ``-- exposure:`` counts the rows that it checks."""

    name: str
    sql: RootedPath


class ReportSpec(Value):
    """A query whose rows are listed: ``at`` is the time of each, ``story`` the text that a terminal shows."""

    name: str
    sql: RootedPath


class PumbaSpec(Value):
    """Where Pumba is, and the images of its helper containers; an environment variable overrides each."""

    program: str = "pumba"
    """A path, or a name on PATH. ``AGUANTE_PUMBA``."""
    image: str = "ghcr.io/alexei-led/pumba:1.1.7"
    """Used if there is no such program. ``AGUANTE_PUMBA_IMAGE``."""
    tc_image: str = "ghcr.io/alexei-led/pumba-alpine-nettools:latest"
    """Contains ``tc`` and ``tail``, for netem. ``AGUANTE_TC_IMAGE``.

    This is Pumba's own default. The image has no version tags, only ``latest`` and commit hashes.
    """
    iptables_image: str = "ghcr.io/alexei-led/pumba-alpine-nettools:latest"
    """Contains ``iptables`` and ``tail``. ``AGUANTE_IPTABLES_IMAGE``."""
    stress_image: str = "ghcr.io/alexei-led/stress-ng:0.20.01"
    """Contains ``/stress-ng``, and ``/cg-inject`` for ``same_cgroup``. ``AGUANTE_STRESS_IMAGE``."""

    def with_overrides_from(self, environment: Mapping[str, str]) -> "PumbaSpec":
        """Return a copy with the values of the environment variables that are set."""
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
    """All of ``testbed.yaml``, with paths resolved against its folder (``root``)."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    root: Path
    given: str = ""
    """The value of ``--testbed``, to print a command that can be repeated; empty: the option was not used."""
    name: str
    links: tuple[LinkSpec, ...]
    services: tuple[ServiceSpec, ...]
    databases: tuple[DatabaseSpec, ...] = ()
    entry: str
    policies: RootedPath
    lint: LintSpec | None = None
    """None: the testbed has no check for policies."""
    load: LoadSpec
    setup: SetupSpec = SetupSpec()
    problem_json: bool
    """Whether error bodies name their origin; if not, it is read from the spans (``error_types``)."""
    error_types: dict[str, str] = Field(default_factory=dict)
    """OTel's ``error.type`` (or ``status:503``) of a span -> mechanism, for responses whose body does not say."""
    mechanisms: tuple[str, ...]
    client_mechanisms: tuple[str, ...]
    settle: SettleSpec = SettleSpec()
    pumba: PumbaSpec = PumbaSpec()
    compose: RootedPath | None = None
    """The compose file of `--runtime compose`; None: the testbed has none. It is checked only when it is used,
    because other runtimes do not need it and an installed package does not contain it."""
    invariants: tuple[InvariantSpec, ...] = ()
    reports: tuple[ReportSpec, ...] = ()
    """``aguante reconcile`` prints the one of that name."""
    rules: RootedPath | None = None
    """Folder of ``*.yml`` files with recording rules and alerts for Prometheus; None: no rules."""

    @classmethod
    def file_keys(cls) -> list[str]:
        """All but ``root`` and ``given``, which follow from where the file is."""
        return [key for key in super().file_keys() if key not in ("root", "given")]

    @property
    def call_links(self) -> tuple[LinkSpec, ...]:
        """The links of requests: all except the one of the spans."""
        return tuple(each for each in self.links if each.kind != "otlp")

    @property
    def ready_paths(self) -> dict[str, str]:
        """Service -> the path of its readiness check."""
        return {each.name: each.ready_path for each in self.services}

    @property
    def telemetry_link(self) -> LinkSpec | None:
        """The link of the spans; None: services post them directly to the collector, where no fault can be injected."""
        return next((each for each in self.links if each.kind == "otlp"), None)

    @property
    def policy_names(self) -> tuple[str, ...]:
        """The policies that are there now, in order of name."""
        return tuple(sorted({path.stem for path in yaml_files(self.policies)}))

    def policy_file(self, name: str) -> Path:
        """The file of a policy."""
        return named_yaml(self.policies, name)
