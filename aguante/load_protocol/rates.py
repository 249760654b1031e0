"""How the offered rate goes over time: from a profile's name and its words to a curve. Pure arithmetic.

The runner plans by it and the load generator plays it; it imports msgspec alone, as ``records`` does.
A curve is linear pieces of requests per second over seconds since t0. Its integral counts arrivals, and the
integral's inverse says when the n-th one is due: a process of unit rate, read through that inverse, is one
with this rate (time change; Cinlar, Introduction to Stochastic Processes, 1975, section 4.7).
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import msgspec


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a profile besides ``rate_rps``; None: not given."""

    to_rps: float | None = None
    """``ramp``, ``step``: the rate at the end; ``spike``: at its height."""
    steps: int | None = None
    """``step``: levels of equal length, from ``rate_rps`` to ``to_rps``."""
    at_s: float | None = None
    """``spike``: when it begins, seconds since t0."""
    for_s: float | None = None
    """``spike``: how long it lasts."""
    racers: int | None = None
    """``race``: so many requests for one event start at the same instant."""

    def told(self) -> dict[str, float]:
        """The words that were given."""
        return {k: v for k in self.__struct_fields__ if (v := getattr(self, k)) is not None}


def shape_of(load: object) -> Shape:
    """The words of whatever has them as its own attributes: a file's load section, a planned load."""
    return Shape(**{word: getattr(load, word) for word in Shape.__struct_fields__})


WORDS: dict[str, tuple[str, ...]] = {
    "ramp": ("to_rps",),
    "step": ("to_rps", "steps"),
    "spike": ("to_rps", "at_s", "for_s"),
    "race": ("racers",),
}
"""Profile -> the words that it needs; a profile that is not named here has one rate and needs none."""
LEAST: dict[str, int] = {"steps": 2, "racers": 2}
"""Word -> its smallest value that means anything."""


class Trouble(msgspec.Struct, frozen=True):
    """One thing that is wrong with a profile's words."""

    word: str
    """Of ``Shape``, or ``duration_s``."""
    found: str
    expected: str
    fix: str


def troubles(profile: str, shape: Shape, duration_s: float) -> Iterator[Trouble]:
    """Everything that is wrong with the words of a profile; ``duration_s`` may be infinite."""
    needed, told = WORDS.get(profile, ()), shape.told()
    for word in needed:
        if word not in told:
            yield Trouble(word, "nothing", f"{word} with profile {profile}", f"add {word}:")
    for word, value in told.items():
        if word not in needed:
            knows = f"only {', '.join(needed)} beside the rate" if needed else "one rate alone"
            yield Trouble(word, f"{word} with profile {profile}", knows, f"remove {word}")
        elif not _sensible(word, value):
            least = f"a number of {LEAST[word]} or more" if word in LEAST else "a number > 0"
            yield Trouble(word, f"{value:g}", least, "give a larger value")
    if math.isinf(duration_s) and profile in ("ramp", "step"):
        fix = "say how long it lasts: -t 60s on Locust's command line"
        yield Trouble("duration_s", "no end", f"an end, with profile {profile}", fix)


def too_late(profile: str, shape: Shape, duration_s: float) -> Trouble | None:
    """What is wrong with a spike that begins when the load is over: it never comes."""
    if profile != "spike" or shape.at_s is None or shape.at_s < duration_s:
        return None
    expected = f"a spike that begins before the load ends ({duration_s:g} s)"
    return Trouble(
        "at_s", f"{shape.at_s:g}", expected, "begin it earlier, or let the load last longer"
    )


def _sensible(word: str, value: float) -> bool:
    if word == "at_s":
        return value >= 0 and math.isfinite(value)
    return value >= LEAST.get(word, 0) and value > 0 and math.isfinite(value)


class Piece(msgspec.Struct, frozen=True):
    """Requests per second from one moment to another, along a line."""

    start_s: float
    end_s: float
    from_rps: float
    to_rps: float

    @property
    def slope(self) -> float:
        """Requests per second, per second; 0 if the piece has no length."""
        if self.end_s == self.start_s:
            return 0.0
        return (self.to_rps - self.from_rps) / (self.end_s - self.start_s)

    def arrivals(self, until_s: float) -> float:
        """How many are due from its start to ``until_s``, a moment within it."""
        x = until_s - self.start_s
        level = self.from_rps * x
        return level + self.slope * x * x / 2 if self.slope else level  # x may be infinite

    def when(self, n: float) -> float:
        """When ``n`` of its arrivals are due, seconds since t0."""
        if n == 0:
            return self.start_s
        # the root of slope/2 x^2 + from x = n, in the form that does not divide by a slope of 0
        root = math.sqrt(max(0.0, self.from_rps**2 + 2 * self.slope * n))
        return self.start_s + 2 * n / (self.from_rps + root)


class Curve(msgspec.Struct, frozen=True):
    """The offered rate of one load: pieces that follow each other from 0 on."""

    pieces: tuple[Piece, ...]

    @property
    def duration_s(self) -> float:
        """When arrivals end."""
        return self.pieces[-1].end_s

    def at(self, at_s: float) -> float:
        """Requests per second at a moment; 0 before and after."""
        for piece in self.pieces:
            if piece.start_s <= at_s < piece.end_s:
                return piece.from_rps + piece.slope * (at_s - piece.start_s)
        return 0.0

    def arrivals(self, start_s: float, end_s: float) -> float:
        """How many are due in ``[start_s, end_s)``."""
        return self._until(end_s) - self._until(start_s)

    def when(self, numbers: Iterator[float]) -> Iterator[float]:
        """When so many arrivals are due, for ascending numbers; ends with the curve."""
        pieces = iter(self.pieces)
        piece, before = next(pieces), 0.0
        for number in numbers:
            while number - before >= piece.arrivals(piece.end_s):
                before += piece.arrivals(piece.end_s)
                following = next(pieces, None)
                if following is None:
                    return
                piece = following
            yield piece.when(number - before)

    def _until(self, at_s: float) -> float:
        whole = (p for p in self.pieces if p.start_s < at_s)
        return sum(piece.arrivals(min(at_s, piece.end_s)) for piece in whole)


def curve_of(profile: str, rate_rps: float, shape: Shape, duration_s: float) -> Curve:
    """The curve of a profile whose words have no ``troubles``; unknown profiles keep their rate."""
    points = [(0.0, rate_rps, rate_rps), (duration_s, rate_rps, rate_rps)]
    if profile == "ramp":
        points = [(0.0, rate_rps, rate_rps), (duration_s, shape.to_rps or rate_rps, 0.0)]
    elif profile == "step":
        points = _steps(rate_rps, shape, duration_s)
    elif profile == "spike":
        points = _spike(rate_rps, shape, duration_s)
    pieces = [Piece(a, b, leaves, comes) for (a, _, leaves), (b, comes, _) in pairwise(points)]
    return Curve(tuple(pieces))


Point = tuple[float, float, float]
"""A moment, the rate that is come to there, and the rate that is left with."""


def _steps(rate_rps: float, shape: Shape, duration_s: float) -> list[Point]:
    count = shape.steps or 1
    rise = ((shape.to_rps or rate_rps) - rate_rps) / max(1, count - 1)
    levels = [rate_rps + n * rise for n in range(count)]
    starts = [n * duration_s / count for n in range(count)]
    inner = [(at, levels[n - 1], levels[n]) for n, at in enumerate(starts) if n]
    return [(0.0, levels[0], levels[0]), *inner, (duration_s, levels[-1], 0.0)]


def _spike(rate_rps: float, shape: Shape, duration_s: float) -> list[Point]:
    at_s, high = shape.at_s or 0.0, shape.to_rps or rate_rps
    until_s = at_s + (shape.for_s or 0.0)
    points = [(0.0, rate_rps, rate_rps)]
    if 0 < at_s < duration_s:
        points.append((at_s, rate_rps, high))
    elif at_s == 0:
        points = [(0.0, high, high)]
    if until_s < duration_s:
        points.append((until_s, high, rate_rps))
    return [*points, (duration_s, points[-1][2], 0.0)]
