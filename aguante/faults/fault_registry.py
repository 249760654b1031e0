"""The kinds of fault: a new kind is one line of ``FaultSection``, a module in this folder, and a driver."""

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, get_args

from pydantic import Field, model_validator

from aguante.core.mapping_rules import broken
from aguante.faults.fault_kind import Fault, Section, Undo
from aguante.faults.fault_times import FaultTimes
from aguante.faults.process import ProcessSection
from aguante.faults.pumba.pumba_fault import PumbaSection
from aguante.faults.toxiproxy import ToxiproxySection


class FaultSection(FaultTimes):
    """One fault; by default it holds for the whole fault phase. Exactly one key names its kind."""

    toxiproxy: ToxiproxySection | None = None
    process: ProcessSection | None = None
    pumba: PumbaSection | None = None

    @property
    def section(self) -> Section:
        """The one that is given."""
        sections: Iterator[Section | None] = (getattr(self, key) for key in KINDS)
        return next(each for each in sections if each is not None)

    @model_validator(mode="after")
    def _exactly_one(self) -> "FaultSection":
        given = [key for key in KINDS if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            broken(found, f"exactly one of {', '.join(KINDS)}", "write one fault for each")
        return self


def _section(annotation: object) -> type[Section]:
    found: Iterator[type[Section]] = (t for t in get_args(annotation) if issubclass(t, Section))
    return next(found)


KINDS: dict[str, type[Section]] = {
    key: _section(field.annotation)
    for key, field in FaultSection.model_fields.items()
    if key not in FaultTimes.model_fields
}
"""Key -> the kind's section, which names its planned value and its undo."""

if TYPE_CHECKING:
    AnyFault = Fault
    AnyUndo = Undo
else:
    _BY_DRIVER = Field(discriminator="driver")
    AnyFault = Annotated[reduce(or_, (each.fault_type for each in KINDS.values())), _BY_DRIVER]
    AnyUndo = Annotated[reduce(or_, (each.undo_type for each in KINDS.values())), _BY_DRIVER]
