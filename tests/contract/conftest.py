"""A real PostgreSQL for the contract tests: one server per session, one database per test."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port
from apps import PATIENT_S, Start
from msgspec.structs import replace

from aguante.runtimes.native.postgres_server import (
    find_binaries,
    reported_state,
    unprivileged_account,
)
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry
from services.shop.policy import Policy, load_policy

ACCOUNT = unprivileged_account()
BIN = find_binaries(ACCOUNT)
ROOT = Path(__file__).parents[2]
START_LIMIT_S = 20.0
END_SESSIONS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1"
# Durability is not under test here: every crash in these tests is a client's, never the server's.
FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


def _as_user() -> dict[str, int]:
    """PostgreSQL refuses to run as root: step down to the account that owns the data folder."""
    return {} if ACCOUNT is None else {"user": ACCOUNT.uid, "group": ACCOUNT.gid}


def _make_cluster(folder: Path) -> None:
    identity = _as_user()
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    subprocess.run(
        [BIN / "initdb", "-D", folder, "-U", "postgres", "-A", "trust", "-E", "UTF8",
         "--locale=C", "--no-sync"],
        check=True, capture_output=True, cwd=folder, timeout=60, **identity,
    )  # fmt: skip


def _wait_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(round(START_LIMIT_S / 0.05)):
        if server.poll() is not None:
            pytest.fail(f"PostgreSQL ended at start with code {server.returncode}")
        if reported_state(folder / "postmaster.pid") == "ready":
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(0.05)
    pytest.fail("PostgreSQL did not get ready")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Yield the address of a fresh server, without a database name."""
    folder = Path(tempfile.mkdtemp(prefix="aguante-test-pg-"))
    port = unused_port()
    try:
        _make_cluster(folder)
        server = subprocess.Popen(
            [BIN / "postgres", "-D", folder, "-h", "127.0.0.1", "-p", str(port), "-k", "", *FAST],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **_as_user(),
        )  # fmt: skip
        try:
            _wait_ready(server, folder)
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)  # "fast": SIGTERM would wait for forgotten clients
            server.wait(START_LIMIT_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def spare_databases() -> list[str]:
    """Hold databases that were made, used and emptied again: ten times cheaper than new ones."""
    return []


@pytest.fixture
async def new_database(
    postgres: str, spare_databases: list[str]
) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Give the addresses of empty databases that are this test's own, and empty them at the end."""
    admin = await asyncpg.connect(f"{postgres}/postgres")
    used: list[str] = []

    async def take() -> str:
        if spare_databases:
            used.append(spare_databases.pop())
        else:
            used.append(f"t_{uuid4().hex}")
            await admin.execute(f"CREATE DATABASE {used[-1]}")
        return f"{postgres}/{used[-1]}"

    try:
        yield take
        for name in used:
            await admin.fetch(END_SESSIONS, name)
            await _empty(f"{postgres}/{name}")
            spare_databases.append(name)
    finally:
        await admin.close()


async def _empty(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()


@pytest.fixture
async def database(new_database: Callable[[], Awaitable[str]]) -> str:
    """Return the address of an empty database that is this test's own."""
    return await new_database()


@pytest.fixture(scope="session")
def policy() -> Policy:
    """Return the default policy as it is shipped, but patient with its database: a machine may stand still."""
    shipped = load_policy(ROOT / "policies" / "default.yaml")
    database = replace(shipped.database, acquire_s=PATIENT_S, statement_s=PATIENT_S)
    return replace(shipped, database=database)


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a service's app in this process and give its client; every one is stopped at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def run(
            create_app: Callable[[Settings, Policy, Telemetry], web.Application],
            policy: Policy,
            database_url: str | None = None,
            **links: str,
        ) -> TestClient[web.Request, web.Application]:
            service = create_app.__module__.split(".")[1]
            settings = Settings(
                service=service, host="127.0.0.1", port=0, database_url=database_url,
                links={name.replace("_", "-"): url for name, url in links.items()},
                policy_path=ROOT, otlp_endpoint=None, resource_attributes={}, log_level="INFO",
            )  # fmt: skip
            telemetry = Telemetry.start(service, None, {})
            stack.callback(telemetry.tracing.shutdown)
            client = TestClient(TestServer(create_app(settings, policy, telemetry)))
            await stack.enter_async_context(client)
            await _until_ready(client)
            return client

        yield run


async def _until_ready(client: TestClient[web.Request, web.Application]) -> None:
    for _ in range(200):
        async with client.get("/readyz") as response:
            if response.status == 200:
                return
            told = await response.text()
        await asyncio.sleep(0.02)
    pytest.fail(f"the service did not get ready: {told}")
