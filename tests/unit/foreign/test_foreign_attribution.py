"""Attribution of failures from spans that follow OpenTelemetry's conventions."""

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
    """Errors of common clients have a mechanism; other errors have none."""
    assert translation([error_type], {}, SPEC.mechanisms).get(error_type, "") == mechanism


def test_error_types_take_precedence_and_only_known_mechanisms_count() -> None:
    """A mechanism that the testbed does not list is no attribution."""
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


def test_a_failure_is_attributed_to_the_deepest_failed_span() -> None:
    """The shop responds 503 because its call timed out, so the call on its only link is the cause."""
    found = cause(
        SPEC,
        ("1", "", "shop", "server", "503", 503),
        ("2", "1", "shop", "client", "TimeoutError", None),
        ("3", "2", "stock", "server", "", 200),
    )
    assert found == ("shop", "shop-stock", "timeout")


def test_a_callee_that_failed_by_itself_is_the_origin() -> None:
    """If the deepest failure is the callee's own, it is the origin, and there is no link."""
    found = cause(
        SPEC,
        ("1", "", "shop", "server", "503", 503),
        ("2", "1", "shop", "client", "500", 500),
        ("3", "2", "stock", "server", "500", 500),
    )
    assert found == ("stock", "", "upstream_error")


def test_a_failure_without_spans_stays_unattributed() -> None:
    """Its origin is not guessed."""
    assert cause(SPEC) == ("", "", "")


def test_the_callees_span_identifies_one_of_several_links() -> None:
    """Without a server span below the call, the link of a caller with two links stays empty."""
    links = (*SPEC.links, SPEC.links[1].model_copy(update={"name": "shop-mail", "callee": "mail"}))
    spec = SPEC.model_copy(update={"links": links})
    call = ("2", "1", "shop", "client", "TimeoutError", None)
    assert cause(spec, call, ("3", "2", "stock", "server", "", 200)) == (
        "shop",
        "shop-stock",
        "timeout",
    )
    assert cause(spec, call) == ("shop", "", "timeout")
