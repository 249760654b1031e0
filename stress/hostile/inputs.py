"""Hostile inputs: valid requests with mutated documents, heads and bytes. The same seed gives the same inputs."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

from stress.hostile.byte_mutations import mutated
from stress.hostile.targets import Json, Template

FRAMED_SHARE = 0.7
"""The rest is mutated as bytes, so that only the server's response shows where the request ended."""
MUTATION_COUNTS = (0, 0, 1, 1, 2, 3)

NAMES = (
    "user_id",
    "event_id",
    "quantity",
    "reservation_id",
    "amount_cents",
    "capacity",
    "__proto__",
    "",
)
SCALARS: tuple[Json, ...] = (
    None, True, False, 0, -1, 1, 11, 101, 2**31, 2**63, 2**64, 10**30, -(10**30), 0.5, 1.0, 1e308, -0.0,
    "", " ", "a", "a" * 64, "a" * 65, "a" * 9000, "\x00", "a\x00b", "a\nb", "../../etc/passwd", "%00", "~a", ".a",
    "ñ", "\u202e", "\u2028", "\U0001f4a5", "'; DROP TABLE sagas; --", "$(id)", "{{7*7}}", "%s%n", "NaN", "r-1",
    "declined-x",
)  # fmt: skip
RAW_VALUES = (
    b"NaN", b"Infinity", b"-Infinity", b"01", b"+1", b"1e999", b"1e-999", b"0x10", b"1_0", b"1.", b".1", b"-",
    b"9" * 400, b"9" * 5000, b"'a'", b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u00"', b'"\\x41"', b'"\xff"',
    b'"\xed\xa0\x80"', b'"\xc0\x80"', b"undefined", b"/**/1", b"[" * 50 + b"]" * 50, b"[" * 6000, b'{"a":' * 900,
)  # fmt: skip
HEADER_NAMES = (
    "Idempotency-Key", "X-Deadline-Ms", "traceparent", "tracestate", "baggage", "Accept", "Content-Encoding", "Cookie",
    "Expect", "Range", "If-Match", "X-Forwarded-For", "Origin", "Accept-Encoding", "Authorization", "TE", "Via",
    "X-Http-Method-Override", "Upgrade", "Content-Type", "Sec-WebSocket-Key", "Connection", "X" * 200,
)  # fmt: skip
HEADER_VALUES = (
    b"", b" ", b"0", b"-1", b"1", b"5", b"NaN", b"1e3", b"99999999999999999999", b"00", b"a" * 64, b"a" * 65,
    b"a" * 129, b"a" * 8000, b"a" * 9000, b"\xff\xfe", b"\xc3\xb1", b"\xb2", b"k k", b"../k", b",=;", b"%zz=%ff",
    b"a=b," * 1500, b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"00-\xff", b"gzip", b"100-continue", b"magic",
    b"application/json; charset=\xff", b"text/plain", b"multipart/form-data", b"application/json", b"websocket", b"h2c",
    b"aguante.phase=%0d%0aX:1", b"aguante.run_id=" + b"%25" * 900, b"bytes=0-", b"*", b'"', b"{}", b"\tx", b"close",
    b"upgrade",
)  # fmt: skip
PATHS = (
    "/", "//", "/.", "/..", "/../metrics", "/%2e%2e/metrics", "/reserve/", "/reserve%00", "/RESERVE", "/events/",
    "/events/%2F", "/events/%ff%fe", "/events/a%0d%0ab", "/events/" + "a" * 65, "/events/" + "%41" * 700,
    "/" + "a" * 7000, "/" + "a" * 9000, "/events/%", "/events/%zz", "/events/{event_id}", "/;jsessionid=1", "/*",
    "/events/a?b=c&b=d&%ff=%00", "/events/a#b", "/reservations/r-1?" + "q=1&" * 1500, "/metrics?name[]=x", "*",
    "http://evil/reserve", "http://[::1", "http://x:99999999/", "/events/\x7f", "/\\", "/events/..%5c..%5c",
)  # fmt: skip
METHODS = (
    "GET",
    "POST",
    "PUT",
    "HEAD",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "M-SEARCH",
    "CONNECT",
)


@dataclass(frozen=True)
class Input:
    """Bytes to send. ``framed``: exactly one response is due; otherwise none or several may come."""

    data: bytes
    framed: bool
    method: str
    path: str


@dataclass
class _Draft:
    method: str
    path: str
    headers: list[tuple[str, bytes]]
    body: bytes
    chunked: bool = False

    def written(self) -> bytes:
        lines = [
            f"{self.method} {self.path} HTTP/1.1".encode("utf-8", "surrogateescape"),
            b"Host: x",
        ]
        lines += [name.encode() + b": " + value for name, value in self.headers]
        if self.chunked:
            middle = len(self.body) // 2
            parts = [part for part in (self.body[:middle], self.body[middle:]) if part]
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
            return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", body])
        if self.body:
            lines.append(b"Content-Length: %d" % len(self.body))
        return b"\r\n".join([*lines, b"", self.body])


def hostile_inputs(templates: tuple[Template, ...], seed: int) -> Iterator[Input]:
    """An endless sequence of inputs made from ``templates``."""
    chance = random.Random(seed)  # noqa: S311 - must be reproducible
    weights = [template.weight for template in templates]
    while True:
        template = chance.choices(templates, weights)[0]
        draft = _drafted(chance, template)
        for _ in range(chance.choice(MUTATION_COUNTS)):
            chance.choice(_MUTATIONS)(chance, draft)
        data = draft.written()
        framed = chance.random() < FRAMED_SHARE
        yield Input(data if framed else mutated(chance, data), framed, draft.method, draft.path)


def _drafted(chance: random.Random, template: Template) -> _Draft:
    if template.body is None:
        return _Draft(template.method, template.path, [], b"")
    body = _document(chance, template.body) if chance.random() < 0.9 else chance.choice(RAW_VALUES)
    return _Draft(template.method, template.path, [("Content-Type", b"application/json")], body)


def _document(chance: random.Random, valid: dict[str, Json]) -> bytes:
    pairs = [(name, _encoded(value)) for name, value in valid.items()]
    if "reservation_id" in valid:
        pairs[0] = ("reservation_id", _encoded(f"h-{chance.getrandbits(48):x}"))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        _spoil(chance, pairs)
    pad = b" " * chance.choice((0, 0, 0, 0, 0, 1, 900, 16_500))
    return b"{" + b", ".join(_encoded(name) + b": " + value for name, value in pairs) + b"}" + pad


def _spoil(chance: random.Random, pairs: list[tuple[str, bytes]]) -> None:
    place = chance.randrange(len(pairs)) if pairs else 0
    match chance.randrange(6):
        case 0 if pairs:
            del pairs[place]
        case 1 if pairs:
            pairs.append(pairs[place])
        case 2:
            pairs.append((chance.choice(NAMES), _value(chance)))
        case 3:
            pairs.extend((f"k{number}", b"1") for number in range(chance.choice((5, 40, 900))))
        case _ if pairs:
            pairs[place] = (pairs[place][0], _value(chance))


def _value(chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return chance.choice(RAW_VALUES)
    value: Json = chance.choice(SCALARS)
    for _ in range(chance.choice((0, 0, 0, 1, 2, 9))):
        value = [value] if chance.random() < 0.5 else {chance.choice(NAMES): value}
    return _encoded(value)


def _encoded(value: Json) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _add_header(chance: random.Random, draft: _Draft) -> None:
    draft.headers.append((chance.choice(HEADER_NAMES), chance.choice(HEADER_VALUES)))


def _add_many_headers(chance: random.Random, draft: _Draft) -> None:
    count = chance.choice((10, 50, 62, 70, 500))
    draft.headers += [(f"X-{number}", b"x") for number in range(count)]


def _drop_header(chance: random.Random, draft: _Draft) -> None:
    if draft.headers:
        draft.headers.pop(chance.randrange(len(draft.headers)))


def _other_path(chance: random.Random, draft: _Draft) -> None:
    draft.path = chance.choice(PATHS)


def _other_method(chance: random.Random, draft: _Draft) -> None:
    draft.method = chance.choice(METHODS)
    if draft.method == "CONNECT":  # bytes after it belong to the tunnel
        draft.body, draft.chunked = b"", False


def _in_chunks(chance: random.Random, draft: _Draft) -> None:
    draft.chunked = draft.method != "CONNECT"


def _other_body(chance: random.Random, draft: _Draft) -> None:
    if draft.method != "CONNECT":
        draft.body = chance.choice(
            (b"", b"null", b"[]", b'"', b"\xef\xbb\xbf{}", chance.randbytes(chance.randrange(200)))
        )


_MUTATIONS = (
    _add_header, _add_header, _add_header, _add_many_headers, _drop_header, _other_path, _other_method, _in_chunks,
    _other_body,
)  # fmt: skip
