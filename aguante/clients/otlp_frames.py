"""How OTLP bodies lie one behind the other, in ``otlp-traces.bin`` and on a relay's ``/stream``. Pure."""

PROTOBUF = "application/x-protobuf"
BODY_MAX_BYTES = 8 * 2**20
"""An export of 512 spans takes about 0.3 MB; a body beyond this is refused with 413."""
FRAME_HEADER_BYTES = 4


def frame(body: bytes) -> bytes:
    """One body: its length, big-endian, then itself."""
    return len(body).to_bytes(FRAME_HEADER_BYTES, "big") + body


def notice(missed: int) -> bytes:
    """On a stream: the reader missed so many bodies. Length 0, then the number; nothing when it missed none."""
    if not missed:
        return b""
    return bytes(FRAME_HEADER_BYTES) + missed.to_bytes(FRAME_HEADER_BYTES, "big")
