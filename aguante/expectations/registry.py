"""Every kind of expectation. A new kind is one file and one line in KINDS."""

from typing import TYPE_CHECKING, Any

from pydantic import SerializerFunctionWrapHandler, create_model, model_serializer, model_validator

from aguante.core.mapping_rules import broken
from aguante.core.values import Value
from aguante.expectations.achieved import Achieved
from aguante.expectations.amplification import Amplification
from aguante.expectations.attribution import Attribution
from aguante.expectations.breaker import Breaker
from aguante.expectations.detection import Detection
from aguante.expectations.expectation import Expectation
from aguante.expectations.goodput import Goodput
from aguante.expectations.latency import Latency
from aguante.expectations.promql import Promql
from aguante.expectations.rate import Rate
from aguante.expectations.recovery import Recovery

KINDS: dict[str, type[Expectation]] = {
    each.kind: each
    for each in (
        Rate,
        Latency,
        Breaker,
        Recovery,
        Detection,
        Goodput,
        Attribution,
        Amplification,
        Achieved,
        Promql,
    )
}


class _OneOfAKind(Value):
    """One list item under ``expect`` or ``abort_when``: exactly one kind."""

    @model_validator(mode="after")
    def _one_kind(self) -> "_OneOfAKind":
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "nothing"
            expected = f"exactly one of {', '.join(KINDS)}"
            broken(found, expected, "start a new list item (-) for each expectation")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {kind: value for kind, value in dump(self).items() if value is not None}

    @property
    def expectation(self) -> Expectation:
        """The expectation that the item holds."""
        every = (getattr(self, kind) for kind in KINDS)
        found: Expectation = next(each for each in every if each is not None)
        return found


if TYPE_CHECKING:
    Clause = _OneOfAKind
else:  # a field for each kind
    Clause = create_model(
        "Clause",
        __base__=_OneOfAKind,
        __doc__=_OneOfAKind.__doc__,
        **{kind: (each | None, None) for kind, each in KINDS.items()},
    )
