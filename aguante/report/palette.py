"""Name, meaning and colour of every cause, for charts, tables and legends.

The hue shows the kind of failure: amber for the limit of the gateway, reds for timeouts, blues and violets for
missing responses, magentas for broken responses, browns for business outcomes, greys for the client. Success has a
muted colour, so that failures stand out. Causes that appear in one chart also differ in lightness; a test checks them
with simulated colour blindness.
"""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class CauseStyle:
    """The name and the colours of one (status, mechanism)."""

    status: int
    mechanism: str
    meaning: str
    light: str
    """Colour on the light page, ``#rrggbb``."""
    dark: str
    """Colour on the dark page."""
    rank: int
    """Position in the stack, 0 at the bottom, and in lists."""

    @property
    def label(self) -> str:
        """``503 breaker_open``; ``no response, client_timeout`` without a status."""
        if self.status == 0:
            return f"no response, {self.mechanism or 'unexplained'}"
        if self.mechanism or 200 <= self.status < 300:
            return f"{self.status} {self.mechanism}".strip()
        return f"{self.status} unexplained"

    @property
    def key(self) -> str:
        """A name that is safe as a CSS class, whatever the mechanism contains."""
        slug = re.sub("[^a-z0-9]+", "_", self.mechanism.lower())[:24]
        tail = "" if slug == self.mechanism else f"_{zlib.crc32(self.mechanism.encode()):08x}"
        return f"c{self.status}_{slug}{tail}"


# (status, mechanism): (meaning, colour on light, colour on dark), in stacking order.
KNOWN: dict[tuple[int, str], tuple[str, str, str]] = {
    (200, ""): ("the request succeeded", "#bcd5cb", "#2f5a4f"),
    (402, "payment_declined"): ("the payment was declined", "#b99a5e", "#cdb172"),
    (409, "sold_out"): ("no seats were left", "#7d5f45", "#a3805f"),
    (409, "key_in_progress"): ("the same request was still in progress", "#d8c4a0", "#77664a"),
    (429, "semaphore_full"): (
        "the gateway was full and rejected the request at once",
        "#f2b01e",
        "#f7c64b",
    ),
    (504, "timeout"): ("a callee took longer than its timeout", "#c8401f", "#f0643c"),
    (504, "deadline"): ("the whole request ran out of time", "#86200f", "#c04a35"),
    (502, "upstream_error"): ("a callee responded with an error", "#a8327f", "#d65fb0"),
    (502, "bad_answer"): ("the response of a callee could not be read", "#d583ba", "#f7b3dc"),
    (503, "breaker_open"): ("the circuit breaker rejected the call", "#4450b8", "#8b97ff"),
    (503, "disconnected"): ("the connection broke before the response", "#2b8fc9", "#5ab8ea"),
    (503, "connect_refused"): ("the connection was refused", "#14647f", "#3d96b5"),
    (503, "connection_reset"): ("the connection was reset", "#57b3b0", "#7fd6d1"),
    (503, "bulkhead_full"): ("too many calls to one callee were in progress", "#8f5fd6", "#c79df7"),
    (503, "pool_exhausted"): ("no database connection was free", "#1f3b73", "#5f85d6"),
    (503, "database_unavailable"): ("the database could not be reached", "#063b33", "#1f7f6c"),
    (503, "commit_unknown"): (
        "it is not yet known whether the commit succeeded",
        "#93aee6",
        "#3f74b5",
    ),
    (503, "retry_budget_exhausted"): ("the retry budget was exhausted", "#8b79b8", "#cbbcf0"),
    (500, "internal_error"): ("an unexpected error in a service", "#3b0d2e", "#ffd6f1"),
    (0, "client_timeout"): ("the client gave up waiting", "#3c4148", "#c4c9d1"),
    (0, "client_refused"): ("the client could not connect", "#101317", "#8b929c"),
    (0, "client_disconnected"): ("the client's connection broke", "#757b85", "#f7f8fa"),
}
FALLBACK: tuple[tuple[str, str], ...] = (
    ("#7d8c1c", "#c3d25a"),
    ("#b0582b", "#e2986f"),
    ("#6b4a86", "#c09bdd"),
    ("#2f7d4f", "#6cc393"),
    ("#94475a", "#dd8fa2"),
    ("#4f6d7a", "#9fbcc9"),
    ("#94760f", "#d9bd5c"),
    ("#385f9e", "#87abe4"),
)


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on this ``#rrggbb`` (WCAG relative luminance)."""
    light = luminance(colour)
    return "#ffffff" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "#000000"


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance of ``#rrggbb``, 0 (black) to 1 (white)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def styles_of(pairs: Iterable[tuple[int, str]]) -> tuple[CauseStyle, ...]:
    """The styles of these (status, mechanism) pairs, without duplicates, in stacking order.

    An unknown pair gets a fallback colour from a hash of its name, so that it looks the same in every report. If two
    hashes collide in one report, the later pair takes the next free colour.
    """
    wanted = set(pairs)
    known = [pair for pair in KNOWN if pair in wanted]
    strange = sorted(wanted - KNOWN.keys())
    styles = [CauseStyle(*pair, *KNOWN[pair], rank=list(KNOWN).index(pair)) for pair in known]
    taken: set[int] = set()
    for number, pair in enumerate(strange):
        slot = _free_slot(pair, taken)
        taken.add(slot)
        light, dark = FALLBACK[slot]
        meaning = "unknown to this report" if pair[1] else "the response named no cause"
        styles.append(CauseStyle(*pair, meaning, light, dark, rank=len(KNOWN) + number))
    return tuple(styles)


def _free_slot(pair: tuple[int, str], taken: set[int]) -> int:
    first = zlib.crc32(f"{pair[0]} {pair[1]}".encode()) % len(FALLBACK)
    for step in range(len(FALLBACK)):
        slot = (first + step) % len(FALLBACK)
        if slot not in taken:
            return slot
    return first  # more unknown pairs than colours: names and tables still distinguish them
