"""What `aguante inject` makes of its words, before it touches a testbed."""

import socket

import pytest

from aguante.run.manual_fault import WrongValuesError, is_gone, toxic_of


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
    assert dict(toxic_of(toxic, words)) == attributes


@pytest.mark.parametrize(
    ("toxic", "words", "message"),
    [
        ("latncy", (), "choose latency"),
        ("latency", ("3.5",), "whole numbers"),
        ("latency", ("-1",), "whole numbers"),
        ("latency", ("rate=3",), "latency_ms=N, jitter_ms=N"),
        ("down", ("3",), "no values"),
        ("latency", ("9" * 13,), "whole numbers"),
        ("latency", ("٣",), "whole numbers"),
    ],
)
def test_words_that_make_no_sense_say_what_the_toxic_takes(
    toxic: str, words: tuple[str, ...], message: str
) -> None:
    """Nothing is sent to Toxiproxy."""
    with pytest.raises(WrongValuesError, match=message):
        toxic_of(toxic, words)


def test_a_port_that_refuses_means_that_the_toxics_are_gone() -> None:
    """They live in the memory of the process that listened there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        api = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert not is_gone(api)
    assert is_gone(api)
