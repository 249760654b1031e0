"""The part of Prometheus's HTTP API that the runner uses: values over a time window, and exemplars."""

from collections.abc import Mapping
from typing import Self

import aiohttp
import msgspec

from aguante.core.values import Value

RESPONSE_LIMIT_S = 10.0
RESPONSE_MAX_BYTES = 16 * 2**20
STEP_S = 1.0
"""Equal to the scrape interval."""


class PrometheusError(Exception):
    """Prometheus did not respond, or rejected the query."""


class Series(Value):
    """One series over a window: (epoch seconds, value) per step, with the value in Prometheus's notation."""

    metric: dict[str, str]
    values: tuple[tuple[float, str], ...]


class Exemplar(Value):
    """One observation with its trace."""

    labels: dict[str, str]
    value: float
    timestamp: float
    """Epoch seconds."""


class Rule(Value):
    """A recording rule or an alert."""

    name: str
    health: str
    """``ok``, ``err``, or ``unknown`` before its first evaluation."""
    error: str = ""


class _Result(msgspec.Struct):
    result: list[msgspec.Raw]


class _Response(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


class _Exemplars(msgspec.Struct):
    exemplars: list[msgspec.Raw]


class Prometheus:
    """A client with limits on time and size.

    Args:
        url: Prometheus's base URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    async def __aenter__(self) -> Self:
        limit = aiohttp.ClientTimeout(total=RESPONSE_LIMIT_S)
        self._session = aiohttp.ClientSession(timeout=limit)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def over(self, query: str, start_s: float, end_s: float) -> tuple[Series, ...]:
        """Return the values of a query from ``start_s`` to ``end_s`` (epoch seconds), one every STEP_S.

        Raises:
            PrometheusError: the query failed.
        """
        form = {"query": query, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": STEP_S}
        found = msgspec.json.decode(await self._call("query_range", form), type=_Result).result
        return tuple(Series.model_validate_json(bytes(each)) for each in found)

    async def now(
        self, query: str, at_s: float | None = None
    ) -> tuple[tuple[dict[str, str], float], ...]:
        """Return (labels, value) of each series of an instant query, now or at an epoch second.

        Raises:
            PrometheusError: the query failed.
        """
        form = {"query": query, **({} if at_s is None else {"time": f"{at_s:.3f}"})}
        data = msgspec.json.decode(await self._call("query", form))
        if data["resultType"] == "scalar":
            return (({}, float(data["result"][1])),)
        return tuple((each["metric"], float(each["value"][1])) for each in data["result"])

    async def exemplars(self, query: str, start_s: float, end_s: float) -> tuple[Exemplar, ...]:
        """Return the exemplars of a query's series between two epoch seconds.

        Raises:
            PrometheusError: the query failed.
        """
        form = {"query": query, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}"}
        found = msgspec.json.decode(
            await self._call("query_exemplars", form), type=list[_Exemplars]
        )
        return tuple(
            Exemplar.model_validate_json(bytes(one)) for each in found for one in each.exemplars
        )

    async def flags(self) -> Mapping[str, str]:
        """Return its command-line flags by name without dashes.

        Raises:
            PrometheusError: the request failed.
        """
        return msgspec.json.decode(await self._call("status/flags"), type=dict[str, str])

    async def rules(self) -> tuple[Rule, ...]:
        """Return every rule of every group.

        Raises:
            PrometheusError: the request failed.
        """
        groups = msgspec.json.decode(await self._call("rules"))["groups"]
        return tuple(
            Rule(name=each["name"], health=each["health"], error=each.get("lastError", ""))
            for group in groups
            for each in group["rules"]
        )

    async def _call(self, path: str, parameters: Mapping[str, object] | None = None) -> bytes:
        """Return the data of the response. Parameters are sent by POST, because queries may be long."""
        form = {name: str(value) for name, value in (parameters or {}).items()}
        method, url = "POST" if form else "GET", f"{self.url}/api/v1/{path}"
        try:
            async with self._session.request(method, url, data=form or None) as response:
                body = await response.content.read(RESPONSE_MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as why:
            message = f"Prometheus at {self.url} did not respond ({type(why).__name__}: {why})"
            raise PrometheusError(message) from why
        try:
            found = msgspec.json.decode(body, type=_Response)
        except msgspec.MsgspecError as why:
            message = f"the server at {self.url} is not Prometheus ({why})"
            raise PrometheusError(message) from why
        if found.status != "success":
            raise PrometheusError(found.error or f"it returned {found.status}")
        return bytes(found.data)
