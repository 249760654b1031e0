"""Collectors that accept no spans, each failing differently: for tests and for ``benchmarks.telemetry``."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

BACKLOG = 512
DRIP_EVERY_S = 0.4
"""Below every read timeout, so that a read timeout never ends the response."""


@contextlib.contextmanager
def refused() -> Iterator[str]:
    """Nothing listens: each connection is refused at once."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def black_holed() -> Iterator[str]:
    """Connections are accepted and data is received, but there is never a response."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def dripping() -> Iterator[str]:
    """A response that begins at once and never ends, one header every 0.4 s."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as server:
        stop = threading.Event()
        thread = threading.Thread(target=_drip, args=(server, stop), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join(2 * DRIP_EVERY_S)


def _drip(server: socket.socket, stop: threading.Event) -> None:
    server.settimeout(DRIP_EVERY_S / 4)
    open_ones: list[socket.socket] = []
    next_s = 0.0
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            taken, _ = server.accept()
            taken.settimeout(0.1)
            taken.sendall(b"HTTP/1.1 200 OK\r\n")
            open_ones.append(taken)
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + DRIP_EVERY_S
            open_ones = [each for each in open_ones if _sent(each)]
    for each in open_ones:
        each.close()


def _sent(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"X-Wait: 1\r\n")
    except OSError:
        connection.close()
        return False
    return True


DEAD: Mapping[str, Callable[[], AbstractContextManager[str]]] = {
    "refused": refused,
    "black-holed": black_holed,
    "dripping": dripping,
}
"""By name, a context manager that yields the collector's base URL."""
