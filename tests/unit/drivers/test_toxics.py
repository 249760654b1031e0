"""The table of toxics: what a valid fault may ask of Toxiproxy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aguante.faults.toxics import TOXICS, complete, findings

KINDS = st.sampled_from(list(TOXICS.values()))


@given(KINDS, st.data())
def test_values_within_the_bounds_are_accepted(kind, data: st.DataObject) -> None:
    """Whatever lies within the table passes, once the two rules across attributes hold."""
    values = {
        each.name: data.draw(st.integers(each.minimum, each.maximum)) for each in kind.attributes
    }
    if kind.name == "latency":
        values["jitter"] = min(values["jitter"], values["latency"])
    if kind.name == "slicer":
        values["size_variation"] = min(values["size_variation"], values["average_size"] - 1)
    assert findings(kind.name, values) == []


@given(KINDS, st.data())
def test_a_value_out_of_bounds_is_found(kind, data: st.DataObject) -> None:
    """Each bound is checked by itself; the finding names the YAML key and the bounds."""
    if not kind.attributes:
        return
    attribute = data.draw(st.sampled_from(kind.attributes))
    value = data.draw(
        st.one_of(
            st.integers(max_value=attribute.minimum - 1),
            st.integers(min_value=attribute.maximum + 1),
        )
    )
    whole = {each.name: each.minimum for each in kind.attributes} | {attribute.name: value}
    found = findings(kind.name, whole)
    assert any(f"{attribute.key} is {value}; give {attribute.minimum} to" in each for each in found)


def test_every_fault_is_found_at_once() -> None:
    """An unknown attribute, a missing one and a wrong share are told together."""
    found = findings("latency", {"rate": 3}, toxicity=2)
    assert [each.split(" ")[0] for each in found] == ["latency", "latency_ms", "toxicity"]


def test_an_unknown_toxic_lists_those_there_are() -> None:
    """The message helps."""
    assert findings("lag", {}) == [f"there is no toxic 'lag'; there are {', '.join(TOXICS)}"]


def test_jitter_beyond_the_latency_is_found() -> None:
    """Delays below zero do not exist: the average would not be what was asked for."""
    (found,) = findings("latency", {"latency": 10, "jitter": 11})
    assert "jitter_ms is 11" in found


@pytest.mark.parametrize("toxicity", [0, -0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_found(toxicity: float) -> None:
    """A toxic for no connection at all would be a fault that is none."""
    assert findings("latency", {"latency": 1}, toxicity)


def test_down_takes_no_share() -> None:
    """A proxy is down for everybody."""
    assert findings("down", {}) == []
    assert findings("down", {}, 0.5)


def test_defaults_are_filled_in() -> None:
    """What is sent is whole, so that nothing depends on the server's own defaults."""
    assert complete("slicer", {"average_size": 9}) == {
        "average_size": 9,
        "size_variation": 0,
        "delay": 0,
    }


def test_keys_end_in_their_unit() -> None:
    """YAML names a unit wherever there is one."""
    units = ("_ms", "_us", "_bytes", "_kb_per_s", "bytes")
    assert all(a.key.endswith(units) for kind in TOXICS.values() for a in kind.attributes)


def test_attributes_are_found_by_key() -> None:
    """As validation of a file needs it."""
    latency = TOXICS["latency"].attribute("latency_ms")
    assert latency is not None
    assert latency.name == "latency"
    assert TOXICS["latency"].attribute("latency") is None
