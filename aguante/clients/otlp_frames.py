"""The framing of OTLP bodies in ``otlp-traces.bin`` and on a relay's ``/stream``. Pure."""

PROTOBUF = "application/x-protobuf"
BODY_MAX_BYTES = 8 * 2**20
"""An export of 512 spans takes about 0.3 MB; a larger body is rejected with 413."""
FRAME_HEADER_BYTES = 4


def frame(body: bytes) -> bytes:
    """Return one body preceded by its length, big-endian."""
    return len(body).to_bytes(FRAME_HEADER_BYTES, "big") + body


def notice(missed: int) -> bytes:
    """Return the frame that reports how many bodies the reader missed: length 0, then the number; empty for 0."""
    if not missed:
        return b""
    return bytes(FRAME_HEADER_BYTES) + missed.to_bytes(FRAME_HEADER_BYTES, "big")
