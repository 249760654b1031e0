"""What the charts draw, as geometry."""

from itertools import pairwise

import pytest
from report_factory import held_run

from aguante.expectations.breaker import BreakerTransition
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.measure.measures import Cause, SecondCauses
from aguante.report import chart_geometry
from aguante.report.palette import styles_of

STYLES = styles_of([(200, ""), (503, "breaker_open")])


def second(at, ok, refused):
    causes = ((200, "", "", "", ok), (503, "reservations", "a-b", "breaker_open", refused))
    return SecondCauses(
        second=at,
        causes=tuple(
            Cause(status=s, origin=o, link=link, mechanism=m, requests=n)
            for s, o, link, m, n in causes
        ),
    )


def test_the_stack_adds_up_to_every_request():
    """The top of each second's highest block is the number of its requests; nothing is lost or doubled."""
    run = held_run()
    styles = styles_of(chart_geometry.pairs_of(run.measures))
    blocks = chart_geometry.stack(run.measures.seconds, styles)
    for row in run.measures.seconds:
        tops = [b.top for b in blocks if b.from_s == row.second]
        assert max(tops) == sum(c.requests for c in row.causes)


def test_blocks_lie_on_each_other_without_gaps():
    """Each block begins where the one below ends."""
    blocks = chart_geometry.stack([second(0, 3, 2)], STYLES)
    assert [(b.bottom, b.top) for b in blocks] == [(0, 3), (3, 5)]


def test_origins_of_one_mechanism_are_one_block():
    """The chart is by status and mechanism: who reported it does not split a block."""
    twice = second(0, 0, 2)
    other = twice.causes[1].model_copy(update={"origin": "gateway", "requests": 3})
    blocks = chart_geometry.stack(
        [twice.model_copy(update={"causes": (*twice.causes, other)})], STYLES
    )
    assert [(b.bottom, b.top) for b in blocks] == [(0, 5)]


def test_a_name_goes_into_the_largest_rectangle():
    """A cause is named where its blocks leave most room, inside every block that the name spans."""
    blocks = chart_geometry.stack(
        [second(0, 1, 9), second(1, 4, 6), second(2, 4, 6), second(3, 9, 1)], STYLES
    )
    spot = next(s for s in chart_geometry.spots(blocks, STYLES, 2) if s.text == "503 breaker_open")
    assert (spot.at_s, spot.width_s, spot.middle) == (1.5, 3, 7.0)


def test_a_thin_cause_gets_no_name():
    """Where no block is high enough, nothing is written over its neighbours."""
    assert (
        chart_geometry.spots(chart_geometry.stack([second(0, 9, 1)], STYLES), STYLES, 2)[-1].text
        == "200"
    )


def test_a_break_in_time_ends_a_rectangle():
    """Seconds without the cause are not spanned by its name."""
    blocks = chart_geometry.stack(
        [second(0, 0, 5), second(1, 5, 0), second(2, 0, 5), second(3, 0, 5)], STYLES
    )
    spot = next(s for s in chart_geometry.spots(blocks, STYLES, 2) if s.text == "503 breaker_open")
    assert (spot.at_s, spot.width_s) == (3.0, 2)


def test_bands_show_the_fault_as_it_was():
    """The window is the actual one where there was one."""
    run = held_run()
    band = chart_geometry.fault_bands(run.plan, run.measures.faults)[0]
    assert (band.from_s, band.to_s) == (8.012, 20.018)
    assert band.names[0] == "slow: latency 3500 ms, jitter 200 ms on reservations-payments"


def test_bands_fall_back_to_the_plan():
    """A fault that never came to be is shown where it was planned."""
    run = held_run()
    never = run.measures.faults[0].model_copy(update={"actual_start_s": None, "actual_end_s": None})
    band = chart_geometry.fault_bands(run.plan, [never])[0]
    assert (band.from_s, band.to_s) == (8.0, 20.0)


def test_overlapping_faults_get_lanes_of_their_own():
    """Names of faults that overlap are not written over each other; a later one reuses a free lane."""
    plan = held_run().plan
    first = plan.faults[0]
    faults = tuple(
        first.model_copy(update={"id": name, "start_s": start, "end_s": end})
        for name, start, end in (("a", 1.0, 5.0), ("b", 2.0, 4.0), ("c", 5.0, 6.0))
    )
    bands = chart_geometry.fault_bands(plan.model_copy(update={"faults": faults}), [])
    assert [(b.names[-1], b.lane) for b in bands] == [("a", 0), ("b", 1), ("c", 0)]


@pytest.mark.parametrize(
    ("toxic", "attributes", "name"),
    [
        ("down", (), "f: down on a-b"),
        ("bandwidth", (("rate", 64),), "f: bandwidth, rate 64 KB/s on a-b"),
        ("slicer", (("average_size", 9), ("delay", 5)), "f: slicer, average_size 9 bytes, delay 5 µs on a-b"),
        ("slow_close", (("delay", 5),), "f: slow_close, delay 5 ms on a-b"),
    ],
)  # fmt: skip
def test_fault_names_carry_units(toxic, attributes, name):
    """Toxiproxy's attributes are shown with the units that it gives them."""
    fault = ToxiproxyFault(link="a-b", toxic=toxic, attributes=attributes)
    planned = PlannedFault(id="f", fault=fault, start_s=0, end_s=1)
    assert chart_geometry.fault_names(planned)[0].replace("\N{MICRO SIGN}", "µ") == name


def test_breaker_states_cover_the_whole_axis():
    """From 0 to the end each breaker is in exactly one state."""
    run = held_run()
    states = chart_geometry.breaker_states(run.measures.breakers, 30.0)
    assert (states[0].state, states[0].from_s, states[-1].state, states[-1].to_s) == (
        "closed",
        0.0,
        "closed",
        30.0,
    )
    assert all(a.to_s == b.from_s for a, b in pairwise(states))


def test_breakers_of_two_instances_are_two_rows():
    """Each instance guards a link with a breaker of its own."""
    change = BreakerTransition(
        at_s=1, service="s", instance="s-1", link="a-b", from_state="closed", to_state="open"
    )
    other = change.model_copy(update={"instance": "s-2", "at_s": 2})
    states = chart_geometry.breaker_states([other, change], 3.0)
    assert [(s.breaker, s.state) for s in states] == [
        ("a-b (s-1)", "closed"),
        ("a-b (s-1)", "open"),
        ("a-b (s-2)", "closed"),
        ("a-b (s-2)", "open"),
    ]


def test_the_axis_reaches_late_seconds():
    """Requests measured after the last phase still lie inside the chart."""
    run = held_run()
    late = run.measures.model_copy(update={"seconds": (*run.measures.seconds, second(33, 1, 0))})
    assert chart_geometry.end_of(run.plan, late) == 34.0
