"""A small HTTP server on the standard library. One function handles every request, inside a server span."""

import os
import signal
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import propagate, trace

Answer = tuple[int, str]
NOT_FOUND: Answer = (404, "not found")


class Server(ThreadingHTTPServer):
    """Accept many connections at once."""

    request_queue_size = 128
    daemon_threads = True


def serve(tracer: trace.Tracer, answer: Callable[[str], Answer]) -> None:
    """Listen on ``HOST`` and ``PORT`` until SIGTERM; ``GET /up`` returns 200."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Respond inside a server span that continues the caller's trace."""
            if self.path == "/up":
                self._send(200, "up")
                return
            context = propagate.extract(dict(self.headers))
            kind = trace.SpanKind.SERVER
            with tracer.start_as_current_span("GET", context, kind) as span:
                status, text = answer(self.path)
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_attribute("error.type", str(status))
                    span.set_status(trace.StatusCode.ERROR)
            self._send(status, text)

        def _send(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Do not log each request."""

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
