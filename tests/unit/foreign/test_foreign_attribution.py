"""Where a failure came from, told by spans of OpenTelemetry's own conventions alone."""

from pathlib import Path

import duckdb
import pytest

from aguante.measure.foreign_attribution import attribute_from_spans, translation
from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

SPEC = load_testbed(Path(__file__).parents[3] / "examples" / "two-services" / "testbed.yaml")


@pytest.mark.parametrize(
    ("error_type", "mechanism"),
    [
        ("TimeoutError", "timeout"),
        ("java.net.SocketTimeoutException", "timeout"),
        ("context deadline exceeded", "timeout"),
        ("ConnectionRefusedError", "connect_refused"),
        ("ConnectionResetError", "connection_reset"),
        ("aiohttp.ServerDisconnectedError", "disconnected"),
        ("http.client.RemoteDisconnected", "disconnected"),
        ("503", "upstream_error"),
        ("status:500", "upstream_error"),
        ("ValueError", ""),
    ],
)
def test_common_names_are_known(error_type: str, mechanism: str) -> None:
    """What common clients call their errors becomes our word; what nobody knows stays unknown."""
    assert translation([error_type], {}, SPEC.mechanisms).get(error_type, "") == mechanism


def test_a_testbeds_own_word_goes_before_and_only_its_mechanisms_count() -> None:
    """``error_types`` wins; a word that is not in ``mechanisms`` is no attribution."""
    own = {"TimeoutError": "upstream_error"}
    assert translation(["TimeoutError"], own, SPEC.mechanisms) == own
    assert translation(["TimeoutError"], {}, ("upstream_error",)) == {}


def evidence(*spans: tuple[object, ...]) -> duckdb.DuckDBPyConnection:
    """A failed request of trace ``t``, and spans (id, parent, service, kind, error type, status)."""
    db = duckdb.connect()
    db.execute(
        "CREATE TABLE requests AS SELECT 't' AS trace_id, 503 AS status, '' AS origin, '' AS link,"
        " '' AS mechanism"
    )
    db.execute(
        "CREATE TABLE spans (trace_id VARCHAR, span_id VARCHAR, parent_id VARCHAR, service VARCHAR,"
        " kind VARCHAR, error_type VARCHAR, http_status INTEGER, link VARCHAR, attempt INTEGER,"
        " db_system VARCHAR, end_ns BIGINT)"
    )
    for row in spans:
        db.execute("INSERT INTO spans VALUES ('t', ?, ?, ?, ?, ?, ?, '', NULL, NULL, 1)", list(row))
    return db


def cause(spec: TestbedSpec, *spans: tuple[object, ...]) -> tuple[object, ...] | None:
    db = evidence(*spans)
    attribute_from_spans(db, spec)
    return db.execute("SELECT origin, link, mechanism FROM requests").fetchone()


def test_a_failure_belongs_to_the_deepest_failing_span() -> None:
    """Shop's answer is 503 because its call timed out: the call is the cause, on shop's only link."""
    found = cause(
        SPEC,
        ("1", "", "shop", "server", "503", 503),
        ("2", "1", "shop", "client", "TimeoutError", None),
        ("3", "2", "stock", "server", "", 200),
    )
    assert found == ("shop", "shop-stock", "timeout")


def test_a_callee_that_failed_by_itself_is_the_origin() -> None:
    """Where the deepest failure is the callee's own answer, the callee is named, and no link."""
    found = cause(
        SPEC,
        ("1", "", "shop", "server", "503", 503),
        ("2", "1", "shop", "client", "500", 500),
        ("3", "2", "stock", "server", "500", 500),
    )
    assert found == ("stock", "", "upstream_error")


def test_a_failure_without_spans_stays_unattributed() -> None:
    """Nothing is guessed."""
    assert cause(SPEC) == ("", "", "")


def test_a_link_among_several_is_known_by_the_callees_span() -> None:
    """A caller with two links: the server span below the call says which; without it the link is empty."""
    links = (*SPEC.links, SPEC.links[1].model_copy(update={"name": "shop-mail", "callee": "mail"}))
    spec = SPEC.model_copy(update={"links": links})
    call = ("2", "1", "shop", "client", "TimeoutError", None)
    assert cause(spec, call, ("3", "2", "stock", "server", "", 200)) == (
        "shop",
        "shop-stock",
        "timeout",
    )
    assert cause(spec, call) == ("shop", "", "timeout")
