"""What comes from outside and goes into a log line, a span or a callee's header is bounded and carries no trick."""

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace

from services.kit.http.json_body import deeper_than
from services.kit.telemetry import logs, tracing
from services.kit.telemetry.text import printable

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@given(ANY_TEXT, st.integers(4, 100))
def test_printable_text_is_bounded_and_breaks_nothing(text: str, chars_max: int) -> None:
    """Whatever the input, the output is one line of UTF-8 within the limit."""
    said = printable(text, chars_max)
    assert len(said) <= chars_max
    assert len(said.splitlines()) <= 1
    said.encode("utf-8")
    assert printable(said, chars_max) == said


def written(message: str, *args: object, **fields: object) -> str:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logs.JsonFormatter("payments"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError(message)
    except ValueError:
        logger.exception(message.replace("%", "%%"), *args, extra={"fields": fields})
    assert isinstance(handler.stream, io.StringIO)
    return handler.stream.getvalue()


@given(ANY_TEXT)
def test_no_message_forges_a_log_line(text: str) -> None:
    """A message, a field and an exception with line ends or broken text stay in the one line they belong to."""
    line = written(text, reservation_id=text)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    said = json.loads(line.encode("utf-8"))
    assert (said["level"], said["service"]) == ("ERROR", "payments")


def test_a_log_line_is_bounded() -> None:
    """Message, field and traceback are cut, the traceback from its front, since the cause is at its end."""
    said = json.loads(written("m" * 100_000, reservation_id="f" * 100_000))
    assert len(said["message"]) == logs.MESSAGE_CHARS_MAX
    assert len(said["reservation_id"]) == logs.FIELD_CHARS_MAX
    assert len(said["exception"]) == logs.EXCEPTION_CHARS_MAX
    assert said["exception"].endswith("mmm")


@pytest.mark.parametrize(
    "header",
    [
        "",
        ",=;",
        "%zz=%ff",
        "aguante.phase",
        "=",
        "a" * 9000,
        "\udcff=1",
        "aguante.phase=\udcff",
        ";;;=",
    ],
)
def test_broken_baggage_is_no_baggage(header: str) -> None:
    """Context that cannot be read is ignored; the request is served."""
    assert not baggage.get_all(tracing.extract({"baggage": header}))


def test_baggage_is_passed_on_only_where_it_is_ours_and_short() -> None:
    """A client cannot fill our callees' headers: of its baggage three keys go on, 128 characters each."""
    said = ",".join(["aguante.phase=" + "%25" * 500, "aguante.run_id=a%0d%0aX:b", "mine=1"])
    context = tracing.extract({"baggage": said, "traceparent": PARENT})
    kept = baggage.get_all(context)
    assert set(kept) == {"aguante.phase", "aguante.run_id"}
    assert len(str(kept["aguante.phase"])) == tracing.BAGGAGE_CHARS_MAX
    assert str(kept["aguante.run_id"]).isprintable()
    assert trace.get_current_span(context).get_span_context().trace_id == int(PARENT[3:35], 16)


@pytest.mark.parametrize(
    "header", ["", "00", PARENT.upper() + "0", "00-" + "0" * 32 + PARENT[35:], "\udcff", "x" * 9000]
)
def test_a_broken_traceparent_begins_a_new_trace(header: str) -> None:
    """Nobody's trace is joined on the word of a header that is none."""
    context = tracing.extract({"traceparent": header})
    assert not trace.get_current_span(context).get_span_context().is_valid


@given(st.integers(0, 12))
def test_depth_is_counted_over_objects_and_arrays(levels: int) -> None:
    """Objects and arrays alike are a level; what is no container is none."""
    document: object = 1
    for level in range(levels):
        document = [document] if level % 2 else {"a": document, "b": 1}
    assert deeper_than(document, 8) is (levels > 8)
