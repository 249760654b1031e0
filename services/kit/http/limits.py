"""How long a connection may take for what, and how many there may be."""

from __future__ import annotations

import resource
from dataclasses import dataclass

CONNECTIONS_MAX = 2_000
"""300 requests/s that each wait 7 s, and a few."""
HEAD_BYTES_MAX = 8_190
"""Of the request line, and of each header."""
HEADERS_MAX = 64


def connections_max(files_max: int) -> int:
    """Return how many connections to accept where the process may have `files_max` files open.

    Half of them: the other half is for calls and the database.
    """
    return max(1, min(CONNECTIONS_MAX, files_max // 2))


def _here() -> int:
    return connections_max(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of one connection of a client, in seconds, and of the number of connections.

    `head_s`: from the first byte of a request's head to its last. `idle_s`: without a request; longer than the 15 s
    that our own callers keep a connection, or they would send on one that we are closing. `linger_s`: for reading
    the rest of a body that no handler wanted, so that the client gets to read our response. `unread_s`: for a client
    to begin to read what we wrote. `connections`: are served; `refused` more get 429, and any after them are aborted.
    """

    head_s: float = 5.0
    idle_s: float = 30.0
    linger_s: float = 1.0
    unread_s: float = 10.0
    connections: int = _here()
    refused: int = 64
