"""A service as a process: what it refuses to start with, and how it ends."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port

ROOT = Path(__file__).parents[2]
LIMIT_S = 20.0


def start(port: int, service: str = "notifications", **environ: str) -> subprocess.Popen[str]:
    policy = str(ROOT / "policies" / "default.yaml")
    given = {"HOST": "127.0.0.1", "PORT": str(port), "AGUANTE_POLICY": policy, **environ}
    return subprocess.Popen(
        [sys.executable, "-m", f"services.{service}"],
        cwd=ROOT,
        env={**os.environ, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(
    service: str = "notifications", **environ: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield a service that is ready, and end it whatever happens."""
    port = unused_port()
    process = start(port, service, **environ)
    try:
        wait_ready(process, port)
        yield process, port
    finally:
        process.kill()
        process.communicate()


@contextmanager
def replica(shared: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield one of several notifications that share a port, and the port of its own."""
    own = unused_port()
    process = start(shared, OWN_PORT=str(own))
    try:
        wait_ready(process, own)
        yield process, own
    finally:
        process.kill()
        process.communicate()


def wait_ready(process: subprocess.Popen[str], port: int) -> None:
    wait_answer(process, port, "/readyz", 200)


def wait_answer(process: subprocess.Popen[str], port: int, path: str, status: int) -> None:
    until_s = time.monotonic() + LIMIT_S
    while time.monotonic() < until_s and process.poll() is None:
        with suppress(OSError):
            if ask(port, path) == status:
                return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(process.communicate()[1])


def ask(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_every_wrong_setting_is_reported_and_ends_with_2() -> None:
    """All findings on stderr, one a line, and exit code 2."""
    process = start(0, HOST="", PORT="many", LOG_LEVEL="LOUD")
    _, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert [line.partition(":")[0] for line in told.splitlines()] == ["HOST", "PORT", "LOG_LEVEL"]


def test_a_faulty_policy_is_reported_with_its_path_and_ends_with_2(tmp_path: Path) -> None:
    """Every fault of the policy on stderr, with file, line and fix, and exit code 2."""
    policy = tmp_path / "mine.yaml"
    text = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    policy.write_text(text.replace("lock: row", "lock: rwo").replace("limit: 64", "limit: -1"))
    process = start(0, AGUANTE_POLICY=str(policy))
    _, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert re.search(rf"^{policy}:\d+: lock: .*; fix: ", told, re.M)
    assert re.search(rf"^{policy}:\d+: semaphore.limit: .*; fix: ", told, re.M)


def test_a_service_logs_its_timeout_budget_when_it_starts() -> None:
    """What its own times amount to: a JSON line each, a warning for a setting that does not take effect."""
    port, nowhere = unused_port(), "http://127.0.0.1:9"
    policy = str(ROOT / "policies" / "no-timeout.yaml")
    links = {"LINK_GATEWAY_INVENTORY": nowhere, "LINK_GATEWAY_RESERVATIONS": nowhere}
    process = start(port, "gateway", AGUANTE_POLICY=policy, **links)
    try:
        wait_ready(process, port)
    finally:
        process.terminate()
        told, _ = process.communicate(timeout=LIMIT_S)
    said = [json.loads(line) for line in told.splitlines()]
    budget = [line for line in said if line["logger"] == "services.shop.lint"]
    assert [(line["level"], line["rule"]) for line in budget] == [
        ("WARNING", "only_the_deadline"),
        ("WARNING", "only_the_deadline"),
        ("INFO", "reset_outlasts_request"),
    ]


def test_a_failed_answer_is_found_in_the_log_by_its_trace_id() -> None:
    """One line of the process has the `X-Trace-Id` of a 503, what made it and where; none has that of a 404."""
    port, nowhere = unused_port(), f"http://127.0.0.1:{unused_port()}"
    links = {"LINK_GATEWAY_INVENTORY": nowhere, "LINK_GATEWAY_RESERVATIONS": nowhere}
    process = start(port, "gateway", **links)
    try:
        wait_ready(process, port)
        failed, missing = traced(port, "/events/e-1"), traced(port, "/nowhere")
    finally:
        process.terminate()
        told, _ = process.communicate(timeout=LIMIT_S)
    assert (failed[0], missing[0]) == (503, 404)
    said = [json.loads(line) for line in told.splitlines()]
    (line,) = [line for line in said if line["trace_id"] in (failed[1], missing[1])]
    assert line["trace_id"] == failed[1]
    assert (line["level"], line["status"], line["mechanism"], line["link"]) == (
        *("WARNING", 503),
        *("connect_refused", "gateway-inventory"),
    )


def traced(port: int, path: str) -> tuple[int, str]:
    """Status and trace id of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["X-Trace-Id"]
    finally:
        connection.close()


def test_a_taken_port_is_one_clear_message_and_ends_with_1() -> None:
    """Address, cause and how to fix it, without a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(taken.getsockname()[1])
        _, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    assert told.startswith("cannot listen on 127.0.0.1:")
    assert "Traceback" not in told


def test_replicas_share_a_port_and_each_has_its_own() -> None:
    """Two processes on one PORT: both are ready, and ending one leaves the other serving on it."""
    shared = unused_port()
    with replica(shared) as (one, _), replica(shared) as (_, own):
        assert ask(shared, "/healthz") == ask(own, "/healthz") == 200
        one.send_signal(signal.SIGTERM)
        assert one.wait(LIMIT_S) == 0
        assert {ask(shared, "/healthz") for _ in range(20)} == {200}


def test_a_replica_joins_the_shared_port_once_it_is_ready() -> None:
    """While it has no database it answers on its own port alone, so that no caller meets its 503."""
    shared, own = unused_port(), unused_port()
    database = f"postgresql://inventory@127.0.0.1:{unused_port()}/inventory"
    process = start(shared, "inventory", OWN_PORT=str(own), LINK_INVENTORY_DB=database)
    try:
        wait_answer(process, own, "/healthz", 200)
        wait_answer(process, own, "/readyz", 503)
        with pytest.raises(ConnectionRefusedError):
            ask(shared, "/healthz")
    finally:
        process.kill()
        process.communicate()


def test_a_taken_shared_port_ends_a_replica_with_1() -> None:
    """Somebody who listens there without sharing it is reported as for a service that is alone."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(taken.getsockname()[1], OWN_PORT=str(unused_port()))
        _, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    assert told.startswith("cannot listen on 127.0.0.1:")


def answer_slowly(server: socket.socket) -> None:
    """Be an inventory that takes 0.4 s for its one answer."""
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        time.sleep(0.4)
        body = b'{"event_id": "e-1", "capacity": 1, "available": 1}'
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def test_sigterm_lets_requests_in_flight_end_and_exits_with_0() -> None:
    """A request that waits for its callee when SIGTERM comes still gets its answer; new ones are refused."""
    with socket.create_server(("127.0.0.1", 0)) as inventory:
        link = f"http://127.0.0.1:{inventory.getsockname()[1]}"
        slow = threading.Thread(target=answer_slowly, args=(inventory,))
        slow.start()
        links = {"LINK_GATEWAY_INVENTORY": link, "LINK_GATEWAY_RESERVATIONS": link}
        with running("gateway", **links) as (process, port):
            statuses: list[int] = []
            reader = threading.Thread(target=lambda: statuses.append(ask(port, "/events/e-1")))
            reader.start()
            time.sleep(0.15)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            with pytest.raises(ConnectionRefusedError):
                ask(port, "/healthz")
            reader.join()
            slow.join()
            assert statuses == [200]
            assert process.wait(LIMIT_S) == 0


def test_a_dead_collector_delays_the_end_by_two_seconds_at_most() -> None:
    """With spans waiting for a collector that is not there, SIGTERM still ends it in time."""
    with running(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{unused_port()}") as (
        process,
        port,
    ):
        for _ in range(20):
            ask(port, "/nowhere")
        started_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
        assert time.monotonic() - started_s < 3
