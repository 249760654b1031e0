"""The table of toxics: which values a fault may send to Toxiproxy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aguante.faults.toxiproxy import TOXICS, Toxic, ToxiproxyFault

ROWS = st.sampled_from(list(TOXICS.values()))


def problems(toxic: str, attributes: dict[str, int], toxicity: float = 1.0) -> list[str]:
    values = tuple(attributes.items())
    fault = ToxiproxyFault(link="a-b", toxic=toxic, toxicity=toxicity, attributes=values)
    return [str(each) for each in fault.problems()]


@given(ROWS, st.data())
def test_values_within_the_bounds_are_accepted(toxic: Toxic, data: st.DataObject) -> None:
    """Any value within the table is valid, as long as the two rules between attributes hold."""
    values = {each.name: data.draw(st.integers(*each.bounds)) for each in toxic.options}
    if toxic.name == "latency":
        values["jitter"] = min(values["jitter"], values["latency"])
    if toxic.name == "slicer":
        values["size_variation"] = min(values["size_variation"], values["average_size"] - 1)
    assert problems(toxic.name, values) == []


@given(ROWS, st.data())
def test_a_value_out_of_bounds_is_found(toxic: Toxic, data: st.DataObject) -> None:
    """Each bound is checked by itself; the problem names the YAML key and the bounds."""
    if not toxic.options:
        return
    wrong = data.draw(st.sampled_from(toxic.options))
    low, high = wrong.bounds
    value = data.draw(st.one_of(st.integers(max_value=low - 1), st.integers(min_value=high + 1)))
    lowest = {each.name: each.bounds[0] for each in toxic.options}
    found = problems(toxic.name, lowest | {wrong.name: value})
    assert any(
        each.startswith(f"{wrong.key}: found {value}, expected {low} to {high}; fix: give ")
        for each in found
    )


def test_every_problem_is_found_at_once() -> None:
    """An unknown attribute and a missing one are reported together."""
    found = problems("latency", {"rate": 3})
    assert [each.split(":")[0] for each in found] == ["rate", "latency_ms"]


def test_an_unknown_toxic_is_a_problem_that_lists_the_known_ones() -> None:
    """The message names the nearest one, too."""
    (found,) = problems("latncy", {})
    assert found == (
        f"toxic: found latncy, expected one of {', '.join(TOXICS)}; fix: did you mean latency?"
    )


def test_jitter_beyond_the_latency_is_found() -> None:
    """There are no delays below zero, so the average would not be the latency."""
    (found,) = problems("latency", {"latency": 10, "jitter": 11})
    assert found.startswith("jitter_ms: found 11, expected at most latency_ms (10)")


@pytest.mark.parametrize("toxicity", [0, -0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(toxicity: float) -> None:
    """A toxic for no connection at all would not be a fault."""
    with pytest.raises(ValidationError, match="toxicity"):
        problems("latency", {"latency": 1}, toxicity)


def test_down_takes_no_share() -> None:
    """A proxy is down for every connection."""
    assert problems("down", {}) == []
    assert problems("down", {}, 0.5)


def test_defaults_are_filled_in() -> None:
    """Every attribute is sent, so that nothing depends on the server's own defaults."""
    fault = ToxiproxyFault(link="a-b", toxic="slicer", attributes=(("average_size", 9),))
    assert fault.complete() == {"average_size": 9, "size_variation": 0, "delay": 0}


def test_keys_end_in_their_unit() -> None:
    """YAML names a unit wherever there is one."""
    units = ("_ms", "_us", "_bytes", "_kb_per_s", "bytes")
    assert all(each.key.endswith(units) for toxic in TOXICS.values() for each in toxic.options)
