"""Loopback ports of one testbed: 64 in a row that no other testbed of this user is given.

They lie below the range from which kernels pick ports for outgoing connections (Linux 32768, macOS
49152): a proxy that is disabled for a while gives up its port, and a client's connection must not be
able to take it before the proxy is enabled again.
"""

import socket
from collections.abc import Iterator

import psutil

from aguante.testbed.runtime import TestbedError

FIRST_PORT = 20_000
PORTS_EACH = 64
SLOTS = (32_768 - FIRST_PORT) // PORTS_EACH
HOST = "127.0.0.1"


class Ports:
    """Hands out the free ports of one slot, each once.

    Args:
        slot: 0 to :data:`SLOTS` - 1; whoever holds the slot's lock owns its ports.
    """

    def __init__(self, slot: int) -> None:
        self._left = self._free(FIRST_PORT + slot * PORTS_EACH)

    def take(self) -> int:
        """The next port that can be bound just now.

        Raises:
            TestbedError: 64 were not enough, since others sit on them.
        """
        port = next(self._left, None)
        if port is None:
            message = (
                f"no free port is left among the {PORTS_EACH} of this testbed: other programs listen "
                f"between {FIRST_PORT} and {FIRST_PORT + SLOTS * PORTS_EACH}; end them and start again"
            )
            raise TestbedError(message)
        return port

    def take_range(self, number: int) -> str:
        """So many ports in a row, as Docker writes them: ``21000``, or ``21000-21002``.

        Raises:
            TestbedError: so many in a row are not left.
        """
        row = [self.take()]
        while len(row) < number:
            port = self.take()
            row = [*row, port] if port == row[-1] + 1 else [port]
        return str(row[0]) if number == 1 else f"{row[0]}-{row[-1]}"

    @staticmethod
    def _free(first: int) -> Iterator[int]:
        return (port for port in range(first, first + PORTS_EACH) if is_free(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As our servers do it, so that connections in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(port: int, option: str) -> None:
    """Check a port that the user chose.

    Raises:
        TestbedError: it is taken; says by whom, where that can be seen.
    """
    if is_free(port):
        return
    message = (
        f"port {port} on {HOST} ({option}) is taken{_by_whom(port)}: "
        f"end that program, choose another port, or leave {option} out to have a free one picked"
    )
    raise TestbedError(message)


def _by_whom(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for each in connections:
        if (
            each.status == psutil.CONN_LISTEN
            and each.laddr
            and each.laddr.port == port
            and each.pid
        ):
            try:
                return f" by {psutil.Process(each.pid).name()} (pid {each.pid})"
            except psutil.NoSuchProcess:
                return ""
    return ""
