"""Sends an HTTP request exactly once, within one timeout: geventhttpclient without its hidden retries.

In geventhttpclient 2.6 ``HTTPClient.request`` sends an idempotent request again, up to pool size + 1
times, when the connection closes before a response. Its timeouts are per socket operation, so a server
that sends one byte per second never times out. A ``gevent.Timeout`` while sending leaks the socket and
its slot in the pool.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import gevent
from geventhttpclient.client import HTTPClient
from geventhttpclient.response import HTTPParseError, HTTPSocketPoolResponse

from loadtests.operations import Call

TIMEOUT, REFUSED, DISCONNECTED = "client_timeout", "client_refused", "client_disconnected"


class NoResponseError(Exception):
    """No complete response arrived. ``mechanism`` is one of the testbed's ``client_mechanisms``."""

    def __init__(self, mechanism: str, cause: str) -> None:
        super().__init__(f"{mechanism}: {cause}")
        self.mechanism = mechanism


class OnceClient(HTTPClient):
    """An HTTPClient that sends every request once."""

    def request(  # type: ignore[override]  # only bytes as body
        self,
        method: str,
        request_uri: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> HTTPSocketPoolResponse:
        """Send once on a pooled or a new connection, and read the head of the response.

        Raises:
            OSError: refused, reset, or unreachable.
            HTTPParseError: the connection closed before a response, or the response is not HTTP.
        """
        head = self._build_request(method, request_uri, body=body, headers=headers, chunked=False)
        sock = self._connection_pool.get_socket()
        try:
            sock.sendall(head.encode("latin-1") + body)
        except BaseException:  # includes gevent.Timeout; the slot in the pool must be released
            self._connection_pool.release_socket(sock)
            raise
        return HTTPSocketPoolResponse(
            sock,
            self._connection_pool,
            block_size=self.block_size,
            method=method,
            headers_type=self.headers_type,
        )


def connect(base_url: str, *, connections: int, timeout_s: float) -> OnceClient:
    """A client for up to ``connections`` concurrent connections; opens none yet."""
    url = urlsplit(base_url)
    return OnceClient(
        url.hostname or "",
        port=url.port or 80,
        concurrency=connections,
        connection_timeout=timeout_s,
        network_timeout=timeout_s,
    )


def fetch(client: OnceClient, call: Call, timeout_s: float) -> tuple[int, bytes]:
    """Status and body of the response, from connect to last byte within ``timeout_s``.

    Raises:
        NoResponseError: no complete response.
        OSError: the generator has no file descriptor or port left; this is no outcome of the request.
    """
    try:
        with gevent.Timeout(timeout_s):
            response = client.request(call.method, call.path, call.body, call.headers)
            return response.get_code(), response.read()
    except (gevent.Timeout, TimeoutError) as timeout:
        raise NoResponseError(TIMEOUT, f"no response within {timeout_s:g} s") from timeout
    except ConnectionRefusedError as refused:
        raise NoResponseError(REFUSED, str(refused)) from refused
    except (ConnectionError, HTTPParseError) as broken:
        raise NoResponseError(DISCONNECTED, str(broken)) from broken
