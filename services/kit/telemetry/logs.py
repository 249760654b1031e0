"""JSON lines on stdout, one object each, with the ids of the current trace and span.

JSON escapes whatever could forge a line; lone surrogates, which JSON cannot carry, are replaced; long text is cut.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import msgspec
from opentelemetry import trace

from services.kit.telemetry.text import encodable

MESSAGE_CHARS_MAX = 2_000
EXCEPTION_CHARS_MAX = 8_000
FIELD_CHARS_MAX = 500


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; `extra={"fields": {...}}` is merged into it."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        span = trace.get_current_span().get_span_context()
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": _bounded(record.getMessage(), MESSAGE_CHARS_MAX),
            "trace_id": f"{span.trace_id:032x}" if span.is_valid else None,
            "span_id": f"{span.span_id:016x}" if span.is_valid else None,
            **{key: _field(value) for key, value in getattr(record, "fields", {}).items()},
        }
        if record.exc_info:
            line["exception"] = _last_part(self.formatException(record.exc_info))
        return msgspec.json.encode(line, enc_hook=str).decode()


def _bounded(text: str, chars_max: int) -> str:
    return encodable(text if len(text) <= chars_max else f"{text[: chars_max - 3]}...")


def _field(value: object) -> object:
    return _bounded(value, FIELD_CHARS_MAX) if isinstance(value, str) else value


def _last_part(traceback: str) -> str:
    return encodable(traceback[-EXCEPTION_CHARS_MAX:])  # the cause is at its end


def configure(service: str, level: str) -> None:
    """Send every logger of this process to stdout as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The exporter logs each failed export; the counter of dropped spans says the same without filling the log.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
