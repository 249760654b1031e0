"""Every kind of expectation with its words and its judge. A new kind is one file and one line here."""

from collections.abc import Callable
from dataclasses import dataclass

from aguante.expectations import clauses as spec
from aguante.measure.measures import Answer
from aguante.verdict import (
    achieved,
    amplification,
    attribution,
    breaker,
    detection,
    goodput,
    latency,
    promql,
    rate,
    recovery,
)
from aguante.verdict.ruling import Ruling


@dataclass(frozen=True)
class Kind:
    """How one kind of expectation is said, and judged. Each takes its own expectation class."""

    text: Callable[..., str]
    required: Callable[..., str]
    judge: Callable[..., Ruling]


KINDS: dict[type[spec.Expectation], Kind] = {
    spec.Rate: Kind(rate.text, rate.required, rate.judge),
    spec.Latency: Kind(latency.text, latency.required, latency.judge),
    spec.Breaker: Kind(breaker.text, breaker.required, breaker.judge),
    spec.Recovery: Kind(recovery.text, recovery.required, recovery.judge),
    spec.Detection: Kind(detection.text, detection.required, detection.judge),
    spec.Goodput: Kind(goodput.text, goodput.required, goodput.judge),
    spec.Attribution: Kind(attribution.text, attribution.required, attribution.judge),
    spec.Amplification: Kind(amplification.text, amplification.required, amplification.judge),
    spec.Achieved: Kind(achieved.text, achieved.required, achieved.judge),
    spec.Promql: Kind(promql.text, promql.required, promql.judge),
}


def rule(asked: spec.Expectation, answer: Answer) -> Ruling:
    """Judge one expectation by its answer."""
    return KINDS[type(asked)].judge(asked, answer)


def sentence(asked: spec.Expectation) -> str:
    """The whole expectation as one line: ``rate of 504 in fault >= 2 %``."""
    kind = KINDS[type(asked)]
    return f"{kind.text(asked)} {kind.required(asked)}"
