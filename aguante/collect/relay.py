"""``python -m aguante.collect.relay``: takes the services' spans, and hands them on to whoever wants them.

Where services run in containers, or outlive the runner that started them, none can reach the runner. So
they post to this relay, and the runner comes and reads.

    POST /v1/traces   OTLP/HTTP protobuf, from the services: taken at once, whoever else is slow
    GET  /stream      the same bodies from now on: 4 bytes big-endian length, then the protobuf. Length 0
                      is a notice: 4 bytes follow, how many bodies this reader missed since the last notice
    GET  /healthz     200 while it runs
    GET  /metrics     what came in, and what found no room

Settings: ``HOST`` (0.0.0.0), ``PORT`` (4318), ``JAEGER_OTLP`` (base address of an OTLP/HTTP collector to
which every body is forwarded; empty: none).
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from aguante.clients.otlp_frames import BODY_MAX_BYTES, frame, notice
from aguante.collect.otlp_collector import accepted, posted
from aguante.collect.otlp_forwarder import Forwarder, Outlet

PORT = 4318
READERS_MAX = 3
READER_MAX_BYTES = 4 * 2**20
"""With all queues full the relay takes 55 MB: compose gives it 64."""
LAST_WORDS_S = 2.0
"""For readers to be given what is still queued when the relay ends."""


class Relay:
    """Takes bodies, and hands each to the forwarder and to every reader; waits for none of them."""

    def __init__(
        self, forwarder: Forwarder | None, reader_max_bytes: int = READER_MAX_BYTES
    ) -> None:
        self._forwarder = forwarder
        self._reader_max_bytes = reader_max_bytes
        self._readers: set[Outlet] = set()
        self._gone = asyncio.Event()
        self._gone.set()
        self._dropped_before = 0
        self._registry = CollectorRegistry()
        self._taken = Counter("aguante_relay_bodies", "OTLP bodies taken", registry=self._registry)
        self._bytes = Counter(
            "aguante_relay_received_bytes", "Of the bodies taken", registry=self._registry
        )
        self._dropped = Gauge(
            "aguante_relay_bodies_dropped",
            "OTLP bodies that did not arrive, by where they were bound for",
            ["to"],
            registry=self._registry,
        )
        reading = Gauge("aguante_relay_readers", "Open streams", registry=self._registry)
        reading.set_function(lambda: len(self._readers))
        self._dropped.labels("stream").set_function(self._stream_drops)
        self._dropped.labels("collector").set_function(
            lambda: forwarder.dropped if forwarder else 0
        )

    def app(self) -> web.Application:
        """The HTTP side."""
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_post("/v1/traces", self._receive)
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/metrics", self._metrics)
        if self._forwarder:
            app.cleanup_ctx.append(self._forwarding)
        app.on_shutdown.append(self._say_last_words)
        return app

    async def _forwarding(self, _: web.Application) -> AsyncIterator[None]:
        assert self._forwarder is not None  # noqa: S101 - only then is it asked for
        async with self._forwarder:
            yield

    async def _receive(self, request: web.Request) -> web.Response:
        body = await posted(request)
        self._taken.inc()
        self._bytes.inc(len(body))
        if body:  # an empty request has no spans, and its frame would read as a notice
            self._hand_on(body)
        return accepted()

    def _hand_on(self, body: bytes) -> None:
        if self._forwarder:
            self._forwarder.offer(body)
        for reader in self._readers:
            reader.offer(body)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if len(self._readers) >= READERS_MAX:
            raise web.HTTPServiceUnavailable(text=f"{READERS_MAX} read already: end one of them")
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        outlet = Outlet(self._reader_max_bytes)
        self._readers.add(outlet)
        self._gone.clear()
        try:
            await response.prepare(request)
            while (body := await outlet.take()) is not None:
                await response.write(notice(outlet.newly_dropped()) + frame(body))
            await response.write(notice(outlet.newly_dropped()))
        except ConnectionError:  # it went away, and what waited for it with it
            pass
        finally:
            self._forget(outlet)
        return response

    def _forget(self, outlet: Outlet) -> None:
        self._readers.discard(outlet)
        self._dropped_before += outlet.dropped
        if not self._readers:
            self._gone.set()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        text = generate_latest(self._registry)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4"})

    def _stream_drops(self) -> float:
        return self._dropped_before + sum(reader.dropped for reader in self._readers)

    async def _say_last_words(self, _: web.Application) -> None:
        """Let every reader have what waits for it, then the end of its stream."""
        for reader in self._readers:
            reader.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), LAST_WORDS_S)


def main(environ: Mapping[str, str] = os.environ) -> None:
    """Serve until SIGTERM or SIGINT."""
    collector = environ.get("JAEGER_OTLP", "")
    relay = Relay(Forwarder(collector) if collector else None)
    web.run_app(
        relay.app(),
        host=environ.get("HOST", "0.0.0.0"),  # noqa: S104 - in a container; compose publishes on loopback
        port=int(environ.get("PORT", PORT)),
        shutdown_timeout=LAST_WORDS_S,
        access_log=None,
        print=None,
    )


if __name__ == "__main__":
    main()
