"""A connection that sends arbitrary bytes and accepts a response only when it is complete."""

import asyncio
from dataclasses import dataclass

HEAD_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 4 * 2**20


class BrokenResponseError(Exception):
    """What arrived is not a complete HTTP response; the message describes it."""


@dataclass(frozen=True)
class Response:
    """One complete HTTP response."""

    version: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def last(self) -> bool:
        """Whether the server closes the connection after it."""
        connection = self.headers.get("connection", "").lower()
        return connection == "close" or (self.version == "HTTP/1.0" and connection != "keep-alive")


class RawConnection:
    """One connection, opened again after it was closed."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, data: bytes) -> None:
        """Send all of ``data``; a server that closes meanwhile is not an error here."""
        if self._ends is None:
            self._ends = await asyncio.open_connection(
                self._host, self._port, limit=2 * HEAD_BYTES_MAX
            )
        self._ends[1].write(data)

    async def response(self, method: str) -> Response | None:
        """Return the next final response, or None when the server closed without sending a byte.

        Raises:
            BrokenResponseError: anything else arrived.
        """
        assert self._ends is not None  # noqa: S101 - `send` comes first
        reader = self._ends[0]
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as cut:
                if cut.partial:
                    msg = f"an incomplete head: {cut.partial[:80]!r}"
                    raise BrokenResponseError(msg) from cut
                return None
            except asyncio.LimitOverrunError as long:
                raise BrokenResponseError(str(long)) from long
            except ConnectionError:
                return None
            version, status, headers = _parsed(head)
            if status >= 200:
                return Response(version, status, headers, await _body(reader, method, headers))

    def drop(self) -> None:
        """Abort the connection."""
        if self._ends is not None:
            self._ends[1].transport.abort()
            self._ends = None


def _parsed(head: bytes) -> tuple[str, int, dict[str, str]]:
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if version not in ("HTTP/1.1", "HTTP/1.0") or not code.isdigit():
        msg = f"no status line: {first[:80]!r}"
        raise BrokenResponseError(msg)
    return (
        version,
        int(code),
        {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)},
    )


async def _body(reader: asyncio.StreamReader, method: str, headers: dict[str, str]) -> bytes:
    length = headers.get("content-length", "")
    if not length.isdigit() or int(length) > BODY_BYTES_MAX:
        msg = f"no valid Content-Length: {length!r}"
        raise BrokenResponseError(msg)
    if method == "HEAD":
        return b""
    try:
        return await reader.readexactly(int(length))
    except (asyncio.IncompleteReadError, ConnectionError) as cut:
        msg = f"a body shorter than its Content-Length of {length}"
        raise BrokenResponseError(msg) from cut
