"""Every toxic of Toxiproxy 2.12 with its attributes, units and bounds: the one table that YAML and driver share.

Standard library only, so that validating a file imports nothing of the driver. The bounds are not
Toxiproxy's own: it accepts any number, and some numbers crash the whole server or do nothing
(source: ``toxics/*.go`` of v2.12.0; each reason stands beside its bound).
"""

from collections.abc import Mapping
from dataclasses import dataclass

DOWN = "down"
"""Not a toxic: the proxy disabled. Live connections are cut, new ones are refused."""

TEN_MINUTES_MS = 600_000


@dataclass(frozen=True)
class Attribute:
    """One attribute of a toxic; all are whole numbers."""

    name: str
    """Toxiproxy's own name, as its API takes it."""
    key: str
    """The same in our YAML, ending in its unit."""
    minimum: int
    maximum: int
    default: int | None
    """What is sent when the YAML does not give it; None: it must be given."""
    meaning: str


@dataclass(frozen=True)
class ToxicType:
    """One toxic: what it is called and what it takes."""

    name: str
    meaning: str
    attributes: tuple[Attribute, ...] = ()

    def attribute(self, key: str) -> Attribute | None:
        """The attribute with this YAML key, or None."""
        return next((each for each in self.attributes if each.key == key), None)


def _ms(name: str, minimum: int, default: int | None, meaning: str) -> Attribute:
    return Attribute(name, f"{name}_ms", minimum, TEN_MINUTES_MS, default, meaning)


_TOXICS = (
    ToxicType(
        "latency",
        "delays the data of the stream; on the answer, the callee has done the work by then",
        (
            _ms("latency", 0, None, "delay of each chunk of data"),
            _ms("jitter", 0, 0, "the delay varies evenly by this much either way"),
        ),
    ),
    ToxicType(
        "bandwidth",
        "limits the rate of the stream",
        # A negative rate crashes the server (a slice out of range); 0 loops without passing anything,
        # which `timeout` says better.
        (Attribute("rate", "rate_kb_per_s", 1, 10_000_000, None, "kilobytes a second"),),
    ),
    ToxicType(
        "slow_close",
        "keeps the connection open for a while after one side has closed it",
        (_ms("delay", 0, None, "how much later the connection closes"),),
    ),
    ToxicType(
        "timeout",
        "lets no data through, then closes the connection; removing it closes connections too",
        (_ms("timeout", 0, None, "closes after this time; 0: never"),),
    ),
    ToxicType(
        "reset_peer",
        "resets connections: RST on new ones, FIN on those that live already",
        # The wait cannot be interrupted, so removal takes as long: kept to a minute.
        (Attribute("timeout", "timeout_ms", 0, 60_000, 0, "resets after this time"),),
    ),
    ToxicType(
        "slicer",
        "cuts the data into small pieces with a pause after each",
        (
            # An average of 0 halves for ever until the server's stack overflows.
            Attribute("average_size", "average_size_bytes", 1, 1_048_576, None, "average size"),
            Attribute("size_variation", "size_variation_bytes", 0, 1_048_575, 0, "size varies by"),
            Attribute(
                "delay", "delay_us", 0, 10_000_000, 0, "pause after each piece, microseconds"
            ),
        ),
    ),
    ToxicType(
        "limit_data",
        "closes the connection after so much data",
        (Attribute("bytes", "bytes", 0, 1_000_000_000, None, "how much passes"),),
    ),
    ToxicType(DOWN, "disables the proxy: live connections are cut, new ones are refused"),
)

TOXICS: Mapping[str, ToxicType] = {toxic.name: toxic for toxic in _TOXICS}
"""By name; :data:`DOWN` included."""


def findings(toxic: str, attributes: Mapping[str, int], toxicity: float = 1.0) -> list[str]:
    """What is wrong with a toxic, every fault at once; empty when nothing is.

    Args:
        toxic: a name of :data:`TOXICS`.
        attributes: by Toxiproxy's own names, not the YAML keys.
        toxicity: share of connections, 0 to 1.
    """
    kind = TOXICS.get(toxic)
    if kind is None:
        return [f"there is no toxic {toxic!r}; there are {', '.join(TOXICS)}"]
    known = {each.name for each in kind.attributes}
    faults = [f"{toxic} has no attribute {name!r}" for name in attributes if name not in known]
    for each in kind.attributes:
        faults += _out_of_bounds(each, attributes.get(each.name, each.default))
    return faults + _cross_findings(toxic, attributes) + _toxicity_findings(toxic, toxicity)


def complete(toxic: str, attributes: Mapping[str, int]) -> dict[str, int]:
    """The attributes with the defaults filled in, ready to be sent.

    Raises:
        KeyError: no such toxic.
    """
    defaults = {a.name: a.default for a in TOXICS[toxic].attributes if a.default is not None}
    return {**defaults, **attributes}


def _out_of_bounds(attribute: Attribute, value: int | None) -> list[str]:
    bounds = f"{attribute.minimum} to {attribute.maximum}"
    if value is None:
        return [f"{attribute.key} is missing ({attribute.meaning}); give {bounds}"]
    if not attribute.minimum <= value <= attribute.maximum:
        return [f"{attribute.key} is {value}; give {bounds} ({attribute.meaning})"]
    return []


def _cross_findings(toxic: str, attributes: Mapping[str, int]) -> list[str]:
    jitter, latency = attributes.get("jitter", 0), attributes.get("latency", 0)
    if toxic == "latency" and jitter > latency:
        return [
            f"jitter_ms is {jitter}, more than latency_ms ({latency}): "
            "delays below zero do not exist, so the average would not be latency_ms; give at most that"
        ]
    variation, average = attributes.get("size_variation", 0), attributes.get("average_size", 1)
    if toxic == "slicer" and variation >= average:
        return [
            f"size_variation_bytes is {variation}, not less than average_size_bytes ({average}): "
            "this crashes Toxiproxy; give less"
        ]
    return []


def _toxicity_findings(toxic: str, toxicity: float) -> list[str]:
    if not 0 < toxicity <= 1:
        return [f"toxicity is {toxicity}; give more than 0, at most 1 (share of connections)"]
    if toxic == DOWN and toxicity != 1:
        return [f"toxicity is {toxicity}, but a proxy is down for every connection; leave it out"]
    return []
