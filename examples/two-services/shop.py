"""A shop that asks stock before it sells. It waits at most 0.8 s and responds in plain text."""

import os
import urllib.error
import urllib.request

from opentelemetry import propagate, trace
from telemetry import tracer_of
from web import NOT_FOUND, Answer, serve

TIMEOUT_S = 0.8
STOCK = os.environ["STOCK_URL"]
tracer = tracer_of("shop")


def answer(path: str) -> Answer:
    """Return 200 if the item was bought, 503 if stock did not respond."""
    kind, _, sku = path.rpartition("/")
    if kind != "/buy":
        return NOT_FOUND
    try:
        return 200, f"bought one: {ask_stock(sku)} were left"
    except OSError:
        return 503, "stock is unavailable"


def ask_stock(sku: str) -> str:
    """Send one request inside its own client span; raises OSError."""
    kind = trace.SpanKind.CLIENT
    with tracer.start_as_current_span("GET", kind=kind) as span:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        request = urllib.request.Request(f"{STOCK}/items/{sku}", headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                span.set_attribute("http.response.status_code", response.status)
                return response.read().decode()
        except OSError as failure:
            reason = getattr(failure, "reason", failure)
            span.set_attribute("error.type", type(reason).__name__)
            raise


if __name__ == "__main__":
    serve(tracer, answer)
