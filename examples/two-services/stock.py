"""Knows how many of each thing there are."""

from telemetry import tracer_of
from web import Answer, serve


def answer(path: str) -> Answer:
    """Seven of everything."""
    return 200, f"7 of {path.rpartition('/')[2]}"


if __name__ == "__main__":
    serve(tracer_of("stock"), answer)
