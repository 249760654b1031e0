"""A client for Toxiproxy on top of toxiproxy-python 0.1.1: an address and a timeout per client, every error raised.

The library keeps host and port in a class attribute, has no timeout, raises for only three status codes, cannot
update a toxic, and reads all proxies to find one. Here its two modules get a consumer that takes the address from a
context variable, so that each thread (and each testbed) uses its own Toxiproxy. Other code that uses the library in
the same process is not affected.

Every call blocks, for at most the client's timeout: use it in a thread.
"""

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import toxiproxy.proxy
import toxiproxy.server
from pydantic import ConfigDict, TypeAdapter, ValidationError
from toxiproxy.api import APIConsumer, validate_response
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from aguante.core.values import Value

CALL_LIMIT_S = 5.0
CONNECT_LIMIT_S = 2.0


class ToxiproxyError(Exception):
    """Toxiproxy refused, or gave no usable answer. The message says which call to which server."""


class NotThereError(ToxiproxyError):
    """Toxiproxy has no such proxy or toxic."""


class AlreadyThereError(ToxiproxyError):
    """A proxy or toxic of this name already exists."""


class NoAnswerError(ToxiproxyError):
    """No response in time: the call may or may not have taken effect."""


class _Reported(Value):
    """What Toxiproxy reports; fields that are not needed here (``Logger``) are ignored."""

    model_config = ConfigDict(extra="ignore")


class ToxicState(_Reported):
    """One toxic as Toxiproxy reports it."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: dict[str, int]


class ProxyState(_Reported):
    """One proxy as Toxiproxy reports it."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[ToxicState, ...] = ()

    def toxic(self, name: str) -> ToxicState | None:
        """The toxic of this name, or None."""
        return next((each for each in self.toxics if each.name == name), None)


class NewProxy(Value):
    """One proxy to create."""

    name: str
    listen: str
    upstream: str
    enabled: bool = True


class _Version(_Reported):
    version: str


@dataclass(frozen=True)
class _Server:
    base: str
    timeout_s: float


_SERVER: ContextVar[_Server] = ContextVar("toxiproxy_server")


class _Consumer(APIConsumer):  # type: ignore[misc]  # the library has no types
    """The library's consumer for the server of the current context."""

    @classmethod
    def get(cls, url: str, params: object = None, **_: object) -> requests.Response:
        return _send("GET", url)

    @classmethod
    def delete(cls, url: str, **_: object) -> requests.Response:
        return _send("DELETE", url)

    @classmethod
    def post(
        cls, url: str, data: object = None, json: Any = None, **_: object
    ) -> requests.Response:
        return _send("POST", url, json)


def _send(method: str, url: str, json: Any = None) -> requests.Response:
    server = _SERVER.get()
    with requests.Session() as session:
        session.trust_env = False  # an HTTP proxy of the environment must not be used on loopback
        response = session.request(method, server.base + url, json=json, timeout=server.timeout_s)
    validate_response(response)
    if not response.ok:  # the library treats every other status as a success
        message = f"{method} {url}: {response.status_code} {response.text.strip()[:200]}"
        raise ToxiproxyError(message)
    return response


class _Proxy(toxiproxy.proxy.Proxy):  # type: ignore[misc]  # the library has no types
    """A proxy of the library, created without reading it first."""

    def __init__(self, name: str) -> None:
        super().__init__(name=quote(name, safe=""), upstream="", enabled=True, listen="")


class _Redirect:
    """Replaces ``APIConsumer`` in the library's modules: ``_Consumer`` within a client, else the original."""

    def __getattr__(self, name: str) -> object:
        return getattr(APIConsumer if _SERVER.get(None) is None else _Consumer, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(APIConsumer, name, value)


toxiproxy.proxy.APIConsumer = toxiproxy.server.APIConsumer = _Redirect()


class ToxiproxyClient:
    """One Toxiproxy server's API. Every method blocks for at most ``timeout_s`` and raises ToxiproxyError.

    Args:
        api: base URL, ``http://127.0.0.1:8474``.
        timeout_s: limit for connecting, and for each wait for data.

    Raises:
        NotThereError: no such proxy or toxic.
        AlreadyThereError: the name is taken.
        NoAnswerError: unreachable, or silent for ``timeout_s``.
        ToxiproxyError: any other refusal.
    """

    def __init__(self, api: str, timeout_s: float = CALL_LIMIT_S) -> None:
        parts = urlsplit(api)
        if parts.scheme != "http" or not parts.hostname:
            message = f"{api!r} is no address of a Toxiproxy API; give http://HOST:PORT"
            raise ValueError(message)
        self._server = _Server(api.rstrip("/"), timeout_s)

    @property
    def api(self) -> str:
        """Base URL."""
        return self._server.base

    @property
    def timeout_s(self) -> float:
        """Limit of one call, seconds."""
        return self._server.timeout_s

    def version(self) -> str:
        """The version that the server reports: ``2.12.0``, or ``git``."""
        with self._errors():
            return _Version.model_validate_json(_Consumer.get("/version").content).version

    def proxies(self) -> dict[str, ProxyState]:
        """All proxies with their toxics, by name."""
        with self._errors():
            return _PROXIES.validate_json(_Consumer.get("/proxies").content)

    def proxy(self, name: str) -> ProxyState:
        """One proxy with its toxics, in one read."""
        with self._errors():
            response = _Consumer.get(f"/proxies/{quote(name, safe='')}")
            return ProxyState.model_validate_json(response.content)

    def populate(self, proxies: Sequence[NewProxy]) -> None:
        """Create proxies in one call; the library needs two calls per proxy."""
        with self._errors():
            _Consumer.post("/populate", json=[proxy.model_dump() for proxy in proxies])

    def set_enabled(self, name: str, enabled: bool) -> None:
        """Disable (cuts live connections) or enable a proxy; idempotent."""
        with self._errors():
            proxy = _Proxy(name)
            if enabled:
                proxy.enable()
            else:
                proxy.disable()

    def add_toxic(self, proxy: str, toxic: ToxicState) -> None:
        """Add a toxic to a proxy. Its attributes must be checked (``ToxiproxyFault.problems``)."""
        with self._errors():
            _Proxy(proxy).add_toxic(**toxic.model_dump())

    def update_toxic(self, proxy: str, toxic: ToxicState) -> None:
        """Change attributes and toxicity of an existing toxic; type and stream cannot change."""
        body = {"attributes": toxic.attributes, "toxicity": toxic.toxicity}
        path = f"/proxies/{quote(proxy, safe='')}/toxics/{quote(toxic.name, safe='')}"
        with self._errors():
            _Consumer.post(path, json=body)

    def remove_toxic(self, proxy: str, name: str) -> None:
        """Remove a toxic. After NoAnswerError, Toxiproxy may still be removing it: read back."""
        with self._errors():
            _Proxy(proxy).destroy_toxic(quote(name, safe=""))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        token = _SERVER.set(self._server)
        try:
            yield
        except (requests.ConnectionError, requests.Timeout) as why:
            message = f"Toxiproxy at {self.api} gave no answer: {type(why).__name__}: {why}"
            raise NoAnswerError(message) from why
        except _RAISED as why:
            message = f"Toxiproxy at {self.api} refused: {_text(why)}"
            raise _MEANING.get(type(why), ToxiproxyError)(message) from why
        except (requests.RequestException, ValidationError) as why:
            message = f"Toxiproxy at {self.api} gave an unexpected answer: {why}"
            raise ToxiproxyError(message) from why
        finally:
            _SERVER.reset(token)


_PROXIES = TypeAdapter(dict[str, ProxyState])
_RAISED = (NotFound, ProxyExists, InvalidToxic)
_MEANING: Mapping[type, type[ToxiproxyError]] = {
    NotFound: NotThereError,
    ProxyExists: AlreadyThereError,
}


def _text(why: Exception) -> str:
    content = why.args[0] if why.args else ""
    return (
        content.decode("utf-8", "replace").strip() if isinstance(content, bytes) else str(content)
    )


def is_gone(api: str) -> bool:
    """Whether nothing listens there any more: toxics live in Toxiproxy's memory and are gone with it."""
    address = urlsplit(api)
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), CONNECT_LIMIT_S):
            return False
    except ConnectionRefusedError:
        return True
    except OSError:
        return False  # no answer proves nothing
