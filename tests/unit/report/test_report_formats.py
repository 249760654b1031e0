"""Numbers as people read them."""

import pytest

from aguante.report import formats

DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, DASH), (0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.0612, "6.1 %"), (0.9997, "> 99.9 %"), (1.0, "100.0 %")],
)  # fmt: skip
def test_percent(share, shown):
    """A share that is not quite nothing or not quite everything never reads as if it were."""
    assert formats.percent(share) == shown.replace(" ", formats.SPACE)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, DASH), (3.42, "3.4 ms"), (38.4, "38 ms"), (999.4, "999 ms"), (999.6, "1.00 s"), (3014.2, "3.01 s")],
)  # fmt: skip
def test_milliseconds(value, shown):
    """Latencies keep about three digits and change to seconds at a thousand."""
    assert formats.milliseconds(value) == shown.replace(" ", formats.SPACE)


@pytest.mark.parametrize(
    ("change", "shown"), [(None, DASH), (0.0, "±0.0"), (0.123, "+12.3"), (-0.785, "\N{MINUS SIGN}78.5")]
)  # fmt: skip
def test_points(change, shown):
    """A difference carries its sign, and a true minus."""
    assert formats.points(change) == shown


def test_printable_replaces_what_xml_cannot_carry():
    """Control characters and lone surrogates become the replacement character; tabs and new lines stay."""
    assert formats.printable("a\x00\x07\tb\n\ud800") == "a\ufffd\ufffd\tb\n\ufffd"
