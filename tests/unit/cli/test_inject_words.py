"""How `aguante inject` reads its words, before it touches a testbed."""

import socket

import pytest

from aguante.clients.toxiproxy_client import is_gone
from aguante.run.manual_fault import WrongValuesError, fault_on_link


@pytest.mark.parametrize(
    ("toxic", "words", "attributes"),
    [
        ("latency", ("3500",), {"latency": 3500, "jitter": 0}),
        ("latency", ("3500", "jitter_ms=200"), {"latency": 3500, "jitter": 200}),
        ("latency", ("jitter=5", "latency_ms=7"), {"latency": 7, "jitter": 5}),
        ("bandwidth", ("10",), {"rate": 10}),
        ("timeout", ("0",), {"timeout": 0}),
        ("down", (), {}),
        ("reset_peer", (), {"timeout": 0}),
    ],
)
def test_words_become_attributes(
    toxic: str, words: tuple[str, ...], attributes: dict[str, int]
) -> None:
    """A bare number is the toxic's first attribute; names are the YAML's or Toxiproxy's own."""
    assert dict(fault_on_link("a-b", toxic, words).attributes) == attributes


@pytest.mark.parametrize(
    ("toxic", "words", "message"),
    [
        ("latncy", (), "choose latency"),
        ("latency", ("3.5",), "whole numbers"),
        ("latency", ("-1",), "whole numbers"),
        ("latency", ("rate=3",), "latency_ms=N, jitter_ms=N"),
        ("down", ("3",), "no values"),
        ("latency", ("9" * 13,), "whole numbers"),
        ("latency", ("600001",), "latency_ms: found 600001, expected 0 to 600000"),
        ("latency", ("1", "jitter=2"), "jitter_ms: found 2, expected at most latency_ms"),
        ("bandwidth", (), "rate_kb_per_s: found nothing"),
        ("latency", ("٣",), "whole numbers"),
    ],
)
def test_wrong_words_are_refused_with_what_the_toxic_takes(
    toxic: str, words: tuple[str, ...], message: str
) -> None:
    """Nothing is sent to Toxiproxy."""
    with pytest.raises(WrongValuesError, match=message):
        fault_on_link("a-b", toxic, words)


def test_a_port_that_refuses_means_that_the_toxics_are_gone() -> None:
    """They live in the memory of the process that listened there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        api = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert not is_gone(api)
    assert is_gone(api)
