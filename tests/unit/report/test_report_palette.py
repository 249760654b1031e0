"""One place names and paints every cause."""

from itertools import combinations

import pytest
from colour_vision import EYES, difference

from aguante.report.palette import FALLBACK, KNOWN, ink_on, luminance, styles_of

MEET_OFTEN = (
    (200, ""),
    (429, "semaphore_full"),
    (502, "upstream_error"),
    (503, "breaker_open"),
    (503, "disconnected"),
    (504, "timeout"),
)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("page", [1, 2], ids=["light", "dark"])
def test_common_causes_differ_for_colour_blind_eyes(eyes, page):
    """Causes that meet in one chart are well apart for every kind of eyes, on either page."""
    for one, other in combinations(MEET_OFTEN, 2):
        assert difference(KNOWN[one][page], KNOWN[other][page], eyes) > 18, (one, other)


@pytest.mark.parametrize("page", [1, 2], ids=["light", "dark"])
def test_no_two_known_causes_look_alike(page):
    """Any two known causes can be told apart side by side."""
    for one, other in combinations(KNOWN, 2):
        assert difference(KNOWN[one][page], KNOWN[other][page], "usual") > 12, (one, other)


def test_names_on_colours_can_be_read():
    """Black or white on every colour reaches the 4.5:1 that WCAG asks of text."""
    colours = [c for _, light, dark in KNOWN.values() for c in (light, dark)]
    for colour in [*colours, *(c for pair in FALLBACK for c in pair)]:
        high, low = sorted((luminance(colour), luminance(ink_on(colour))), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, colour


def test_every_known_mechanism_of_the_testbed_has_a_meaning():
    """A known cause says in words what happened."""
    assert all(meaning for meaning, _, _ in KNOWN.values())


def test_success_lies_at_the_bottom_of_the_stack():
    """Order is the palette's, whatever order the causes were seen in, and strangers come last."""
    styles = styles_of([(418, "teapot"), (503, "breaker_open"), (200, ""), (429, "semaphore_full")])
    assert [s.status for s in styles] == [200, 429, 503, 418]
    assert [s.rank for s in styles] == sorted(s.rank for s in styles)


def test_a_stranger_looks_the_same_in_every_report():
    """An unknown cause's colour depends on its name, not on its company."""
    alone = styles_of([(503, "gremlins")])[0]
    in_company = styles_of([(200, ""), (503, "gremlins"), (504, "timeout")])[-1]
    assert alone.light == in_company.light


def test_strangers_in_one_report_get_different_colours():
    """Up to the number of spare colours no two unknown causes share one."""
    styles = styles_of([(503, f"strange_{n}") for n in range(len(FALLBACK))])
    assert len({s.light for s in styles}) == len(FALLBACK)
    assert len(styles_of([(503, f"strange_{n}") for n in range(20)])) == 20


def test_a_key_is_a_css_name_whatever_the_mechanism():
    """Keys hold letters, digits and underscores only, and stay different where slugs collide."""
    keys = [
        s.key for s in styles_of([(503, "a b"), (503, "a.b"), (503, "{}<script>"), (503, "x" * 99)])
    ]
    assert all(key.replace("_", "").isalnum() and key.isascii() for key in keys)
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("pair", "label"),
    [
        ((200, ""), "200"),
        ((503, "breaker_open"), "503 breaker_open"),
        ((500, ""), "500 unexplained"),
        ((0, "client_timeout"), "no response, client_timeout"),
    ],
)
def test_labels(pair, label):
    """A failure without a mechanism says that it is unexplained; status 0 says that there was no answer."""
    assert styles_of([pair])[0].label == label
