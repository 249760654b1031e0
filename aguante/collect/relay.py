"""``python -m aguante.collect.relay``: receives the services' spans and streams them to any number of readers.

Services in containers, or those that outlive the runner that started them, cannot reach the runner. They post
their spans to this relay, and the runner reads from it.

    POST /v1/traces   OTLP/HTTP protobuf, from the services; accepted at once, however slow the readers are
    GET  /stream      the bodies from now on: 4 bytes big-endian length, then the protobuf. Length 0 is a
                      notice: 4 bytes follow, the number of bodies that this reader missed since the last notice
    GET  /healthz     200 while it runs
    GET  /metrics     bodies received, and bodies dropped

Settings: ``HOST`` (0.0.0.0), ``PORT`` (4318), ``JAEGER_OTLP`` (base address of an OTLP/HTTP collector that
every body is forwarded to; empty: none).
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from aguante.clients.otlp_frames import BODY_MAX_BYTES, frame, notice
from aguante.collect.otlp_collector import accepted, read_export
from aguante.collect.otlp_forwarder import BoundedQueue, Forwarder

PORT = 4318
READERS_MAX = 3
READER_MAX_BYTES = 4 * 2**20
"""With all queues full the relay uses 55 MB; compose allows it 64."""
DRAIN_LIMIT_S = 2.0
"""For readers to receive what is still queued when the relay ends."""


class Relay:
    """Receives bodies and passes each to the forwarder and to every reader, without waiting for any of them."""

    def __init__(
        self, forwarder: Forwarder | None, reader_max_bytes: int = READER_MAX_BYTES
    ) -> None:
        self._forwarder = forwarder
        self._reader_max_bytes = reader_max_bytes
        self._readers: set[BoundedQueue] = set()
        self._no_readers = asyncio.Event()
        self._no_readers.set()
        self._dropped_before = 0
        self._registry = CollectorRegistry()
        self._taken = Counter(
            "aguante_relay_bodies", "OTLP bodies received", registry=self._registry
        )
        self._bytes = Counter(
            "aguante_relay_received_bytes", "Size of the bodies received", registry=self._registry
        )
        self._dropped = Gauge(
            "aguante_relay_bodies_dropped",
            "OTLP bodies that were not delivered, by destination",
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
        """The HTTP application."""
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_post("/v1/traces", self._receive)
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/metrics", self._metrics)
        if self._forwarder:
            app.cleanup_ctx.append(self._forwarding)
        app.on_shutdown.append(self._drain)
        return app

    async def _forwarding(self, _: web.Application) -> AsyncIterator[None]:
        assert self._forwarder is not None  # noqa: S101 - registered only if there is one
        async with self._forwarder:
            yield

    async def _receive(self, request: web.Request) -> web.Response:
        body = await read_export(request)
        self._taken.inc()
        self._bytes.inc(len(body))
        if body:  # the frame of an empty body would read as a notice
            self._pass_on(body)
        return accepted()

    def _pass_on(self, body: bytes) -> None:
        if self._forwarder:
            self._forwarder.offer(body)
        for reader in self._readers:
            reader.offer(body)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if len(self._readers) >= READERS_MAX:
            raise web.HTTPServiceUnavailable(
                text=f"{READERS_MAX} readers are connected already; close one of them"
            )
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        queue = BoundedQueue(self._reader_max_bytes)
        self._readers.add(queue)
        self._no_readers.clear()
        try:
            await response.prepare(request)
            while (body := await queue.take()) is not None:
                await response.write(notice(queue.newly_dropped()) + frame(body))
            await response.write(notice(queue.newly_dropped()))
        except ConnectionError:  # the reader disconnected
            pass
        finally:
            self._forget(queue)
        return response

    def _forget(self, queue: BoundedQueue) -> None:
        self._readers.discard(queue)
        self._dropped_before += queue.dropped
        if not self._readers:
            self._no_readers.set()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        text = generate_latest(self._registry)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4"})

    def _stream_drops(self) -> float:
        return self._dropped_before + sum(reader.dropped for reader in self._readers)

    async def _drain(self, _: web.Application) -> None:
        """Send every reader what is queued for it, then end its stream."""
        for reader in self._readers:
            reader.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._no_readers.wait(), DRAIN_LIMIT_S)


def main(environ: Mapping[str, str] = os.environ) -> None:
    """Serve until SIGTERM or SIGINT."""
    collector = environ.get("JAEGER_OTLP", "")
    relay = Relay(Forwarder(collector) if collector else None)
    web.run_app(
        relay.app(),
        host=environ.get("HOST", "0.0.0.0"),  # noqa: S104 - in a container; compose publishes on loopback
        port=int(environ.get("PORT", PORT)),
        shutdown_timeout=DRAIN_LIMIT_S,
        access_log=None,
        print=None,
    )


if __name__ == "__main__":
    main()
