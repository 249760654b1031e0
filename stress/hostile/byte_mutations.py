"""Mutates the bytes of a request: flips, cuts, duplicates, concatenates, and contradicts its framing."""

import random

NOT_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /\r\n\r\n",
    b"\r\n\r\n\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x00" * 64 + b"\r\n\r\n",
    b"{}\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
)
FRAMING = (
    b"Content-Length: 0\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 18446744073709551617\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b" folded: line\r\n",
    b"No colon here\r\n",
    b": no name\r\n",
    b"A\x00B: c\r\n",
    b"A: b\x00c\r\n",
    b"A: b\rX: c\r\n",
)


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Return ``data`` with one to three mutations."""
    for _ in range(chance.randint(1, 3)):
        data = chance.choice(_WAYS)(chance, data)
    return data


def _flip(chance: random.Random, data: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        if broken:
            broken[chance.randrange(len(broken))] = chance.randrange(256)
    return bytes(broken)


def _cut_out(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.choice((1, 2, 10, 100)) :]


def _cut_off(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)] + b"\r\n\r\n"


def _insert(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data) + 1)
    noise = chance.choice((b"\r\n", b"\n", b"\x00", b"\xff", b" ", chance.randbytes(12)))
    return data[:start] + noise + data[start:]


def _duplicate(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start : start + 60] * 2 + data[start + 60 :]


def _bare_line_ends(chance: random.Random, data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n", chance.choice((1, 2, -1)))


def _contradict(chance: random.Random, data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\r\n" + chance.choice(FRAMING), 1)


def _replace(chance: random.Random, data: bytes) -> bytes:
    return chance.choice(NOT_HTTP)


def _concatenate(chance: random.Random, data: bytes) -> bytes:
    return data + data


_WAYS = (
    _flip, _flip, _flip, _cut_out, _cut_off, _insert, _duplicate, _bare_line_ends, _contradict, _replace, _concatenate,
)  # fmt: skip
