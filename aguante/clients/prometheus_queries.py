"""Prometheus's HTTP API, as far as the runner asks it: values over a window of time, and the traces behind a bucket."""

from collections.abc import Mapping
from typing import Self

import aiohttp
import msgspec

from aguante.core.values import Value

ANSWER_LIMIT_S = 10.0
ANSWER_MAX_BYTES = 16 * 2**20
STEP_S = 1.0
"""As often as it scrapes."""


class PrometheusError(Exception):
    """Prometheus could not be asked, or refused: what it said."""


class Series(Value):
    """One series over a window: (epoch seconds, value) once a step; the value as Prometheus writes it."""

    metric: dict[str, str]
    values: tuple[tuple[float, str], ...]


class Exemplar(Value):
    """One observation that was kept with its trace."""

    labels: dict[str, str]
    value: float
    timestamp: float
    """Epoch seconds."""


class Rule(Value):
    """A recording rule or an alert that it has loaded."""

    name: str
    health: str
    """``ok``, ``err``, or ``unknown`` before it was reckoned first."""
    error: str = ""


class _Of(msgspec.Struct):
    result: list[msgspec.Raw]


class _Answer(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


class _Exemplars(msgspec.Struct):
    exemplars: list[msgspec.Raw]


class Prometheus:
    """One Prometheus, asked within limits.

    Args:
        url: its base address.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    async def __aenter__(self) -> Self:
        limit = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
        self._session = aiohttp.ClientSession(timeout=limit)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def over(self, query: str, start_s: float, end_s: float) -> tuple[Series, ...]:
        """The values of a query from ``start_s`` to ``end_s`` (epoch seconds), each STEP_S.

        Raises:
            PrometheusError: it gave none.
        """
        asked = {"query": query, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": STEP_S}
        found = msgspec.json.decode(await self._ask("query_range", asked), type=_Of).result
        return tuple(Series.model_validate_json(bytes(each)) for each in found)

    async def now(
        self, query: str, at_s: float | None = None
    ) -> tuple[tuple[dict[str, str], float], ...]:
        """(labels, value) of each series of an instant query, now or at an epoch second.

        Raises:
            PrometheusError: it gave none.
        """
        asked = {"query": query, **({} if at_s is None else {"time": f"{at_s:.3f}"})}
        data = msgspec.json.decode(await self._ask("query", asked))
        if data["resultType"] == "scalar":
            return (({}, float(data["result"][1])),)
        return tuple((each["metric"], float(each["value"][1])) for each in data["result"])

    async def exemplars(self, query: str, start_s: float, end_s: float) -> tuple[Exemplar, ...]:
        """The exemplars of a query's series between two epoch seconds.

        Raises:
            PrometheusError: it gave none.
        """
        asked = {"query": query, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}"}
        found = msgspec.json.decode(
            await self._ask("query_exemplars", asked), type=list[_Exemplars]
        )
        return tuple(
            Exemplar.model_validate_json(bytes(one)) for each in found for one in each.exemplars
        )

    async def flags(self) -> Mapping[str, str]:
        """What it was started with, by name without dashes.

        Raises:
            PrometheusError: it does not say.
        """
        return msgspec.json.decode(await self._ask("status/flags"), type=dict[str, str])

    async def rules(self) -> tuple[Rule, ...]:
        """Every rule of every group.

        Raises:
            PrometheusError: it does not say.
        """
        groups = msgspec.json.decode(await self._ask("rules"))["groups"]
        return tuple(
            Rule(name=each["name"], health=each["health"], error=each.get("lastError", ""))
            for group in groups
            for each in group["rules"]
        )

    async def _ask(self, what: str, asked: Mapping[str, object] | None = None) -> bytes:
        """The answer's data; asked by POST with what may be long, by GET where there is nothing to ask with."""
        form = {name: str(value) for name, value in (asked or {}).items()}
        method, url = "POST" if form else "GET", f"{self.url}/api/v1/{what}"
        try:
            async with self._session.request(method, url, data=form or None) as response:
                body = await response.content.read(ANSWER_MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as why:
            message = f"Prometheus at {self.url} gave no answer ({type(why).__name__}: {why})"
            raise PrometheusError(message) from why
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except msgspec.MsgspecError as why:
            message = f"what answers at {self.url} is no Prometheus ({why})"
            raise PrometheusError(message) from why
        if answer.status != "success":
            raise PrometheusError(answer.error or f"it said {answer.status}")
        return bytes(answer.data)
