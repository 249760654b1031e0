"""A stock service that returns the number of items left."""

from telemetry import tracer_of
from web import NOT_FOUND, Answer, serve


def answer(path: str) -> Answer:
    """Return 7 for every item."""
    kind, _, sku = path.rpartition("/")
    return (200, f"7 of {sku}") if kind == "/items" else NOT_FOUND


if __name__ == "__main__":
    serve(tracer_of("stock"), answer)
