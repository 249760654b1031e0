"""Faults on a link by Toxiproxy 2.12: its toxics, and ``down``.

The bounds are narrower than Toxiproxy's own: it accepts any number, and some numbers crash the whole server or do
nothing (source: ``toxics/*.go`` of v2.12.0; a comment gives each reason).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from aguante.core.findings import Problem
from aguante.core.units import unit_of
from aguante.core.values import Text
from aguante.faults.fault_kind import LinkFault, LinkSection, Slot, Undo
from aguante.faults.fault_options import TEN_MINUTES_MS, Whole
from aguante.faults.fault_variants import (
    Variant,
    Written,
    at_most,
    variant_problems,
)
from aguante.faults.observation import (
    CUT,
    REFUSED,
    TIMED_OUT,
    ObservationRule,
    by_delay,
    by_errors,
    by_shift,
)

DOWN = "down"
"""Not a toxic: the proxy disabled. Live connections are cut, new ones are refused."""
Stream = Literal["upstream", "downstream"]


@dataclass(frozen=True)
class Toxic(Variant):
    """One toxic. The names of its options are Toxiproxy's own; all are whole numbers."""

    errors: tuple[str, ...] = ()
    """How an attempt ends that proves it; empty: only a shift of all attempts shows it."""


_MS = (0, TEN_MINUTES_MS)


def _both_ways(written: Written) -> Iterator[Problem]:
    for key in ("stream", "toxicity"):
        if key in written and (key, written[key]) != ("toxicity", 1):
            fix = "remove it: a proxy is down for every connection, both ways"
            yield Problem((key,), f"the key {key}", f"no {key} with toxic {DOWN}", fix)


def _crash(written: Written) -> Iterator[Problem]:
    variation, average = written.get("size_variation_bytes", 0), written["average_size_bytes"]
    if isinstance(variation, int) and isinstance(average, int) and variation >= average:
        expected = f"less than average_size_bytes ({average})"
        fix = "give less: Toxiproxy would crash"
        yield Problem(("size_variation_bytes",), str(variation), expected, fix)


_ALL = (
    Toxic(
        "latency",
        "delays the data of the stream; on the answer, the callee has done the work by then",
        (
            Whole("latency_ms", "latency", "delay of each chunk of data", _MS),
            Whole(
                *("jitter_ms", "jitter", "the delay varies evenly by this much either way", _MS),
                default=0,
            ),
        ),
        rule=at_most("jitter_ms", "latency_ms", "give at most that: no delay is negative"),
    ),
    Toxic(
        "bandwidth",
        "limits the rate of the stream",
        # A negative rate crashes the server (a slice out of range). 0 loops and passes nothing: use `timeout`.
        (Whole("rate_kb_per_s", "rate", "kilobytes a second", (1, 10_000_000)),),
    ),
    Toxic(
        "slow_close",
        "keeps the connection open for a while after one side has closed it",
        (Whole("delay_ms", "delay", "how much later the connection closes", _MS),),
    ),
    Toxic(
        "timeout",
        "lets no data through, then closes the connection; removing it closes connections too",
        (Whole("timeout_ms", "timeout", "closes after this time; 0: never", _MS),),
        errors=TIMED_OUT + CUT,
    ),
    Toxic(
        "reset_peer",
        "resets connections: RST on new ones, FIN on those that are open already",
        # The wait cannot be interrupted, and removal takes as long: at most a minute.
        (Whole("timeout_ms", "timeout", "resets after this time", (0, 60_000), default=0),),
        errors=CUT,
    ),
    Toxic(
        "slicer",
        "cuts the data into small pieces with a pause after each",
        (
            # An average of 0 is halved without end until the server's stack overflows.
            Whole("average_size_bytes", "average_size", "average size", (1, 1_048_576)),
            Whole(
                *("size_variation_bytes", "size_variation", "size varies by", (0, 1_048_575)),
                default=0,
            ),
            Whole("delay_us", "delay", "pause after each piece", (0, 10_000_000), default=0),
        ),
        rule=_crash,
    ),
    Toxic(
        "limit_data",
        "closes the connection after so much data",
        (Whole("bytes", "bytes", "how much passes", (0, 1_000_000_000)),),
        errors=CUT,
    ),
    Toxic(
        DOWN,
        "disables the proxy: live connections are cut, new ones are refused",
        rule=_both_ways,
        errors=REFUSED + CUT,
    ),
)
TOXICS: Mapping[str, Toxic] = {toxic.name: toxic for toxic in _ALL}
"""By name; ``down`` included."""

_SYMBOLS = {"ms": "ms", "us": "\N{MICRO SIGN}s", "kb_per_s": "KB/s", "bytes": "bytes"}


class ToxiproxyUndo(Undo):
    """The proxy as it must be afterwards: enabled, and without the toxic of this name."""

    driver: Literal["toxiproxy"] = "toxiproxy"
    api: str
    """Base URL of Toxiproxy's API."""
    proxy: str
    toxic: str
    """Name of the toxic, made of run id and fault id; empty when the fault is ``down``."""

    @property
    def target(self) -> str:
        """The proxy."""
        return self.proxy


class ToxiproxyFault(LinkFault):
    """One toxic on one link, or ``down`` (the proxy disabled)."""

    driver: Literal["toxiproxy"] = "toxiproxy"
    toxic: str
    """Toxiproxy's own name of the toxic (``latency``, ``reset_peer``, ...), or ``down``."""
    stream: Stream = "downstream"
    toxicity: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of *connections* affected: Toxiproxy draws once per connection, not per request."""
    attributes: tuple[tuple[str, int], ...] = ()
    """Toxiproxy's own attribute names and units, e.g. ``(("latency", 3500), ("jitter", 200))``."""

    @property
    def variant(self) -> str:
        """The toxic."""
        return self.toxic

    @property
    def delay_s(self) -> float | None:
        """Of ``latency``, without the jitter."""
        return dict(self.attributes).get("latency", 0) / 1000 if self.toxic == "latency" else None

    def complete(self) -> dict[str, int]:
        """The attributes with defaults filled in, so that nothing depends on the server's own defaults."""
        given = dict(self.attributes)
        options = TOXICS[self.toxic].options
        defaults = {each.name: each.default for each in options if isinstance(each.default, int)}
        return given | {name: n for name, n in defaults.items() if name not in given}

    def problems(self) -> list[Problem]:
        """What is wrong with the values: they must not be sent then, since some would crash the server."""
        options = TOXICS[self.toxic].options if self.toxic in TOXICS else ()
        keys = {each.name: each.key for each in options}
        values = {keys.get(name, name): value for name, value in self.attributes}
        written = {"toxic": self.toxic, "toxicity": self.toxicity, **values}
        return list(variant_problems(written, "toxic", TOXICS, ToxiproxySection.file_keys()))

    def observation(self) -> ObservationRule:
        """By the toxic's own errors, by delay, or by a shift."""
        values, toxic = dict(self.attributes), TOXICS[self.toxic]
        if self.toxic == "latency":
            return by_delay(values.get("latency", 0), values.get("jitter", 0), self.toxicity)
        return by_errors(*toxic.errors) if toxic.errors else by_shift(self.toxicity)

    def headline(self, length_s: float) -> str:
        """``reservations-payments slowed by 3.5 s for 12 s on 50% of its connections``."""
        length = f"for {length_s:g} s"
        share = f" on {self.toxicity:.0%} of its connections" if self.toxicity < 1 else ""
        if self.delay_s is not None:
            return f"{self.link} slowed by {self.delay_s:g} s {length}{share}"
        if self.toxic == DOWN:
            return f"{self.link} down {length}"
        listed = " ".join(f"{name}={value}" for name, value in self.attributes)
        words = (f"{self.toxic} on {self.link}", listed, length)
        return " ".join(word for word in words if word) + share

    def labels(self) -> tuple[str, ...]:
        """All settings, then the first one, then the link alone."""
        settings = [self._setting(name, value) for name, value in self.attributes]
        if not (self.attributes and self.attributes[0][0] == self.toxic):
            settings.insert(0, self.toxic)
        return (f"{', '.join(settings)} on {self.link}", f"{settings[0]} on {self.link}", self.link)

    def _setting(self, name: str, value: int) -> str:
        options = TOXICS[self.toxic].options
        key = next((each.key for each in options if each.name == name), name)
        return f"{name} {value} {_SYMBOLS.get(unit_of(key), '')}".strip()

    @property
    def reach(self) -> str:
        """Direction and share of the connections."""
        if self.toxic == DOWN:
            return ""
        way = "on responses" if self.stream == "downstream" else "on requests"
        share = f", {self.toxicity:.0%} of connections, not of requests"
        return f"{way}{share if self.toxicity < 1 else ''}"


class ToxiproxySection(LinkSection):
    """One toxic on one link, or ``down``. Attributes carry their unit in their name."""

    choice: ClassVar[str] = "toxic"
    table: ClassVar[Mapping[str, Toxic]] = TOXICS
    gathers: ClassVar[str] = "attributes"
    fault_type = ToxiproxyFault
    undo_type = ToxiproxyUndo
    no_driver = "is a link, and no Toxiproxy is known here: start from the testbed that has it"

    toxic: Text
    stream: Stream = "downstream"
    toxicity: Annotated[float, Field(strict=True, gt=0, le=1)] = 1.0
    """Share of *connections*: drawn once per connection, so on kept-alive ones it is all or nothing."""
    attributes: dict[str, JsonValue] = Field(default_factory=dict)
    """As written, e.g. ``latency_ms: 3500``; every key that is none of the others."""

    @classmethod
    def slot(cls, written: Written) -> Slot | None:
        """The same toxic twice on one stream would add up, or one undo would lift both (``down``)."""
        link, stream = written.get("link"), written.get("stream", "downstream")
        return Slot(str(link), (link, written.get("toxic"), stream)) if link else None

    def planned(self) -> ToxiproxyFault:
        """The attributes by Toxiproxy's own names, defaults filled in."""
        toxic = TOXICS[self.toxic]
        pairs = zip(toxic.options, toxic.complete(self.attributes), strict=True)
        return ToxiproxyFault(
            link=self.link,
            toxic=self.toxic,
            stream=self.stream,
            toxicity=self.toxicity,
            attributes=tuple((each.name, n) for each, (_, n) in pairs if isinstance(n, int)),
        )
