"""Loopback ports of one testbed: a range of 64 that no other testbed of this user uses.

The ranges are below the ports that kernels assign to outgoing connections (from 32768 on Linux, 49152 on macOS). A
disabled proxy releases its port, and no outgoing connection may take it before the proxy is enabled again.
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
    """Assigns each free port of one slot once.

    Args:
        slot: 0 to :data:`SLOTS` - 1; the holder of the slot's lock owns its ports.
    """

    def __init__(self, slot: int) -> None:
        self._left = self._free(FIRST_PORT + slot * PORTS_EACH)

    def take(self) -> int:
        """Return the next port that can be bound now.

        Raises:
            TestbedError: no port is left, because other programs use too many of the 64.
        """
        port = next(self._left, None)
        if port is None:
            message = (
                f"none of this testbed's {PORTS_EACH} ports is free: other programs listen on ports between "
                f"{FIRST_PORT} and {FIRST_PORT + SLOTS * PORTS_EACH}; end them and start again"
            )
            raise TestbedError(message)
        return port

    def take_range(self, number: int) -> str:
        """Return consecutive ports in Docker's notation: ``21000``, or ``21000-21002``.

        Raises:
            TestbedError: not enough consecutive ports are left.
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
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Our servers do the same, so that connections in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(port: int, option: str) -> None:
    """Check that a port chosen by the user is free.

    Raises:
        TestbedError: it is taken; names the program if that is visible.
    """
    if is_free(port):
        return
    message = (
        f"port {port} on {HOST} ({option}) is taken{_owner(port)}: "
        f"end that program, choose another port, or omit {option} to use a free port"
    )
    raise TestbedError(message)


def _owner(port: int) -> str:
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
