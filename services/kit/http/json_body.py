"""Reads a request's body as a JSON object, within bounds: type, encoding, time, bytes, depth, keys, each key once."""

from __future__ import annotations

import asyncio
import json

import msgspec
from aiohttp import ClientError, web

from services.kit.failures.problem import BODY_BYTES_MAX, Mechanism, Problem
from services.kit.telemetry.text import printable

BODY_S = 5.0
DEPTH_MAX = 8
"""Our documents are one level deep; with some room a misplaced object gets a 422 that names it."""
KEYS_MAX = 32
KEY_CHARS_MAX = 64
"""A body of 16 KB has room for 3,000 unknown keys, and each would be looked up and named in the response."""
_SHOWN_CHARS = 60
_CUT_SHORT = "The body ended before its Content-Length, or is badly chunked."


async def read_document(request: web.Request) -> dict[str, object]:
    """Return the body as a JSON object.

    Raises `Problem` 415 (not JSON, or encoded), 413 (too long), 400 (not JSON, late, cut short, too deep, too many
    or too long keys, or a key twice: parsers that keep the first and parsers that keep the last would see two
    different orders) or 422 (not an object).
    """
    _check_type(request)
    body = await _read(request)
    try:
        document = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(Mechanism.BAD_REQUEST, f"The body is not JSON: {error}.") from error
    if deeper_than(document, DEPTH_MAX):
        raise Problem(Mechanism.BAD_REQUEST, f"The body is nested deeper than {DEPTH_MAX} levels.")
    _check_keys(body)
    if not isinstance(document, dict):
        raise Problem(Mechanism.INVALID_INPUT, "The body must be a JSON object.")
    return document


def _check_type(request: web.Request) -> None:
    if request.content_type != "application/json":
        found = printable(request.headers.get("Content-Type", "none"), _SHOWN_CHARS)
        detail = f"Send the body with Content-Type: application/json; found {found}."
        raise Problem(Mechanism.UNSUPPORTED_MEDIA_TYPE, detail)
    if "Content-Encoding" in request.headers:
        detail = "Send the body as it is, without Content-Encoding."
        raise Problem(Mechanism.UNSUPPORTED_MEDIA_TYPE, detail)


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError as error:
        detail = f"The body did not arrive within {BODY_S:.0f} s."
        raise Problem(Mechanism.BAD_REQUEST, detail) from error
    except web.HTTPRequestEntityTooLarge as error:
        detail = f"The body must not be longer than {BODY_BYTES_MAX} bytes."
        raise Problem(Mechanism.BODY_TOO_LARGE, detail) from error
    except (ClientError, web.RequestPayloadError, OSError) as error:
        raise Problem(Mechanism.BAD_REQUEST, _CUT_SHORT) from error
    except RuntimeError as error:
        if request.transport is not None:
            raise  # without a transport it means that the client was gone before we began to read
        raise Problem(Mechanism.BAD_REQUEST, _CUT_SHORT) from error


def deeper_than(document: object, levels: int) -> bool:
    """Return whether objects and arrays are nested more than `levels` deep."""
    if not isinstance(document, dict | list):
        return False
    inner = document.values() if isinstance(document, dict) else document
    return levels == 0 or any(deeper_than(value, levels - 1) for value in inner)


def _number(text: str) -> float:
    """Read 7.0 as 7, as JSON Schema does; some languages write no other numbers."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < _EXACT_BELOW else number


_EXACT_BELOW = 2.0**53
_DECODER = msgspec.json.Decoder(float_hook=_number)


def _check_keys(body: bytes) -> None:
    # msgspec silently keeps the last of equal keys; the standard library shows them all. The body is known to be
    # JSON of bounded depth, so nothing else can go wrong here.
    json.loads(body, object_pairs_hook=_checked_pairs, parse_int=str)


def _checked_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(pairs) > KEYS_MAX:
        raise Problem(Mechanism.BAD_REQUEST, f"An object has more than {KEYS_MAX} keys.")
    found: dict[str, object] = {}
    for key, value in pairs:
        if len(key) > KEY_CHARS_MAX:
            detail = f"A key is longer than {KEY_CHARS_MAX} characters."
            raise Problem(Mechanism.BAD_REQUEST, detail)
        if key in found:
            detail = f"The key {printable(key, _SHOWN_CHARS)} is there more than once."
            raise Problem(Mechanism.BAD_REQUEST, detail)
        found[key] = value
    return found
