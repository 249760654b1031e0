"""What can be an id or a key, decided without HTTP."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.policy.findings import Invalid, convert
from services.shop.fields import ID_CHARS_MAX, KEY_HEADER, KeyHeader

FIRST = string.ascii_letters + string.digits
REST = FIRST + "._:-"


def is_id(text: str) -> bool:
    """A key is an id that comes in a header."""
    try:
        convert({KEY_HEADER: text}, KeyHeader)
    except Invalid:
        return False
    return True


@given(st.sampled_from(FIRST), st.text(REST, max_size=ID_CHARS_MAX - 1))
def test_every_text_of_the_alphabet_is_an_id(first: str, rest: str) -> None:
    """Up to the longest one."""
    assert is_id(first + rest)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=80))
def test_nothing_else_is(text: str) -> None:
    """Whatever there is in Unicode: an id can be put into a path, a header, a log line and a label as it is."""
    assert is_id(text) is (
        1 <= len(text) <= ID_CHARS_MAX and text[0] in FIRST and set(text) <= set(REST)
    )


@pytest.mark.parametrize(
    "text", ["a\n", "\na", "a\x00", "a" * 65, "", ".", "..", "-a", "a/b", "a%2f", "é", "\u0661"]
)
def test_the_usual_tricks_are_none(text: str) -> None:
    """A line end at the end, too: a pattern that ends in $ would let it through."""
    assert not is_id(text)


def test_a_text_that_is_no_id_is_told_in_words() -> None:
    """Not by the regular expression that it does not match."""
    with pytest.raises(Invalid) as invalid:
        convert({KEY_HEADER: "a b"}, KeyHeader)
    words = "must be 1 to 64 letters, digits and . _ : -, and begin with a letter or digit"
    assert str(invalid.value) == f"{KEY_HEADER}: {words}; found 'a b'"
