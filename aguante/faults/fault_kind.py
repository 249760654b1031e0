"""What every kind of fault consists of: a section of the experiment file, a planned value, and an undo.

A kind is one module (or package) that derives the three classes here, and one line in ``fault_registry.py``. Every
question that the rest of the program has about a fault is a method of these classes; nothing here acts.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from aguante.core.findings import Problem, unknown_name
from aguante.core.values import Text, Value
from aguante.faults.fault_options import JsonSchema
from aguante.faults.fault_variants import Variant, Written, describe_variants, variant_problems
from aguante.faults.observation import ObservationRule
from aguante.testbed.testbed_spec import TestbedSpec

ONSET_ERROR_MAX_S = 0.5


class Undo(Value):
    """The state to restore after a fault. It is written to the journal before the fault is applied."""

    driver: str
    """Key of the kind."""
    fault_id: str

    @property
    @abstractmethod
    def target(self) -> str:
        """What is restored, for a message."""


class Fault(Value):
    """A fault as planned: checked, complete, and in the terms of its tool."""

    driver: str
    """Key of the kind."""
    on_link: ClassVar[bool] = False
    """It is done to a link; else to a service, or one instance of it."""

    @property
    @abstractmethod
    def target(self) -> str:
        """The link, the service, or the instance that it is done to."""

    @property
    @abstractmethod
    def variant(self) -> str:
        """What is done, by its name in the file: ``latency``, ``kill``, ``netem delay``."""

    @property
    def onset_error_max_s(self) -> float:
        """How late after its planned time the fault may hold before the run is inconclusive."""
        return ONSET_ERROR_MAX_S

    @property
    def delay_s(self) -> float | None:
        """What it adds to each call on its link; None: it is no delay on a link."""
        return None

    @abstractmethod
    def links_showing(self, testbed: TestbedSpec) -> list[str]:
        """The links whose attempts can show the fault."""

    @abstractmethod
    def observation(self) -> ObservationRule:
        """How an attempt on those links shows it."""

    @abstractmethod
    def headline(self, length_s: float) -> str:
        """For the verdict's headline: ``payments killed for 4 s``."""

    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """For charts and previews, longest first: ``latency 3500 ms, jitter 200 ms on reservations-payments``."""

    @property
    def reach(self) -> str:
        """For a preview: which direction and share of the traffic it affects; empty: all of it."""
        return ""


class LinkFault(Fault):
    """A fault on one link."""

    on_link: ClassVar[bool] = True
    link: str

    @property
    def target(self) -> str:
        """The link."""
        return self.link

    def links_showing(self, _: TestbedSpec) -> list[str]:
        """Its own."""
        return [self.link]


class ServiceFault(Fault):
    """A fault on the instances of one service."""

    service: str
    instance: str = ""
    """``payments-1``; empty: every instance of the service."""

    @property
    def target(self) -> str:
        """The instance, or the service."""
        return self.instance or self.service

    def links_showing(self, testbed: TestbedSpec) -> list[str]:
        """Every HTTP link to the service."""
        links = testbed.links
        return [each.name for each in links if each.callee == self.service and each.kind == "http"]

    def did(self, past: str, length_s: float) -> str:
        """``payments killed for 4 s``; a restart has no length of its own."""
        length = "" if self.variant == "restart" else f" for {length_s:g} s"
        return f"{self.target} {past}{length}"


@dataclass(frozen=True)
class Known:
    """What the names in a section may refer to."""

    testbed: TestbedSpec
    replicas: Written
    """The experiment's own, as written."""


@dataclass(frozen=True)
class Slot:
    """What no two faults may use at the same time: their effects could not be distinguished."""

    target: str
    key: tuple[object, ...]
    instance: object = None
    """None: every instance."""

    def overlaps(self, other: "Slot") -> bool:
        """Whether the two share an instance."""
        every = self.instance is None or other.instance is None
        return self.key == other.key and (every or self.instance == other.instance)


class Section(Value):
    """The mapping below a kind's key in an experiment file. Checks that pydantic cannot make are class methods."""

    fault_type: ClassVar[type[Fault]]
    undo_type: ClassVar[type[Undo]]
    no_driver: ClassVar[str]
    """Why such a fault cannot be applied or undone without a driver for it; follows the target in a message."""
    refused_by: ClassVar[Mapping[str, str]] = {}
    """Runtime -> why it has nothing that such a fault could act on."""
    choice: ClassVar[str] = ""
    """Key that names a row of ``table``; the options of the row are the keys in ``gathers``."""
    table: ClassVar[Mapping[str, Variant]] = {}

    @abstractmethod
    def planned(self) -> Fault:
        """The fault that it describes."""

    @classmethod
    @abstractmethod
    def slot(cls, written: Written) -> Slot | None:
        """What it uses while it is active; None: its target is missing."""

    @classmethod
    def problems(cls, written: Written, known: Known) -> Iterator[Problem]:
        """What is wrong with the section besides its shape; paths start at the section.

        Args:
            written: the section; values of a wrong type are left to the shape check.
            known: what its names may refer to.
        """
        own = cls.file_keys() if cls.gathers else list(written)
        yield from variant_problems(written, cls.choice, cls.table, own)

    @classmethod
    def instead(cls, _: Written) -> str:
        """What to do where the runtime refuses such a fault."""
        return "use another runtime"

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        return cls.gather(data) if cls.gathers else data

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        """Pydantic's own, with the rows of the table."""
        reference = handler(core_schema)
        describe_variants(handler.resolve_ref_schema(reference), cls.choice, cls.table, cls.gathers)
        return reference


class LinkSection(Section):
    """A section about one link."""

    link: Text

    @classmethod
    def problems(cls, written: Written, known: Known) -> Iterator[Problem]:
        """Also a link that does not exist."""
        links = [link.name for link in known.testbed.links]
        yield from unknown_name(("link",), written.get("link"), links, "see proxies/links.yaml")
        yield from super().problems(written, known)

    @classmethod
    def slot(cls, written: Written) -> Slot | None:
        """The link, for faults of this kind."""
        link = written.get("link")
        return Slot(str(link), (cls.__name__, link)) if link else None


class ServiceSection(Section):
    """A section about one service."""

    service: Text
    instance: Text | None = None
    """``payments-1``; None: every instance of the service."""

    @classmethod
    def problems(cls, written: Written, known: Known) -> Iterator[Problem]:
        """Also a service or an instance that does not exist."""
        service, instance = written.get("service"), written.get("instance")
        services = [each.name for each in known.testbed.services]
        yield from unknown_name(("service",), service, services, "see testbed.yaml")
        count = known.replicas.get(str(service), 1)
        if service in services and isinstance(count, int):
            instances = [f"{service}-{n + 1}" for n in range(max(1, min(count, 100)))]
            otherwise = f"add replicas: {{{service}: N}}, or leave it out"
            yield from unknown_name(("instance",), instance, instances, otherwise)
        yield from super().problems(written, known)

    @classmethod
    def slot(cls, written: Written) -> Slot | None:
        """The instances of the service, for faults of every kind that acts on services."""
        service = written.get("service")
        if not service:
            return None
        return Slot(str(service), ("service", service), written.get("instance"))
