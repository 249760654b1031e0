"""The ports of a testbed."""

import itertools
import socket

import pytest

from aguante.runtimes import ports
from aguante.runtimes.ports import PORTS_EACH, SLOTS, Ports, is_free
from aguante.testbed.runtime import TestbedError


def test_slots_do_not_overlap_and_stay_below_ephemeral_ports() -> None:
    """An outgoing connection must not take the port of a disabled proxy."""
    assert ports.FIRST_PORT + SLOTS * PORTS_EACH <= 32_768


def test_each_port_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are assigned in order, within the slot."""
    monkeypatch.setattr(ports, "is_free", lambda port: port % 2 == 0)
    hand_out = Ports(3)
    first = ports.FIRST_PORT + 3 * PORTS_EACH
    assert [hand_out.take() for _ in range(3)] == [first, first + 2, first + 4]


def test_too_few_free_ports_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the range in which other programs listen."""
    free = itertools.count()
    monkeypatch.setattr(ports, "is_free", lambda port: next(free) == 0)
    hand_out = Ports(0)
    hand_out.take()
    with pytest.raises(TestbedError, match="none of this testbed's 64 ports is free"):
        hand_out.take()


def test_a_port_with_a_listener_is_not_free() -> None:
    """A listener on loopback or on every interface makes a port taken."""
    for host in ("127.0.0.1", "0.0.0.0"):
        with socket.socket() as holder:
            holder.bind((host, 0))
            holder.listen()
            assert not is_free(holder.getsockname()[1])
