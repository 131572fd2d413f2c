"""`serve` and `worker` while their database is away at start, not migrated, killed, and frozen: they wait, say so in a
line, and go on within ten seconds of its return."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from officepro.foundation import embedded
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations.run import migrate
from tests.chaos.instances import free_port
from tests.cli.services import Api, Service, frozen, kill
from tests.conftest import ADMIN_SECRET, KEYS

RECOVERED_SECONDS = 10.0
LINES_PER_MINUTE = 20
UNREACHABLE = "the database is unreachable"
NOT_MIGRATED = "The database has no schema: run officepro migrate."
NO_ANSWER = "the database does not respond within 2 seconds"
OFTEN = {"X-Admin-Secret": ADMIN_SECRET}


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL of the test's own, with a database that has no schema; it is stopped."""
    with tempfile.TemporaryDirectory(prefix="op") as folder:
        Path(folder).chmod(0o711)
        own = embedded.start(Path(folder))
        own.create_database("officepro")
        own.stop()
        yield own
        own.stop()


@pytest.fixture
def environment(server: EmbeddedServer, tmp_path: Path) -> dict[str, str]:
    return {
        "OFFICEPRO_DATABASE_URL": server.url("officepro", user="officepro"),
        "OFFICEPRO_DATA_DIR": str(tmp_path / "data"),
        "OFFICEPRO_ADMIN_SECRET": ADMIN_SECRET,
        "OFFICEPRO_TOKEN_KEYS": KEYS,
        "OFFICEPRO_ENCRYPTION_KEYS": KEYS,
        "OFFICEPRO_PORT": str(free_port()),
        "OFFICEPRO_WORKERS": "2",
        "OFFICEPRO_UNREADY_SECONDS": "0",
    }


@pytest.fixture
async def api(environment: dict[str, str]) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield Api(int(environment["OFFICEPRO_PORT"]), client)


@pytest.fixture
async def services(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[tuple[Service, Service]]:
    serve, worker = (Service([name], environment, tmp_path / f"{name}.log") for name in ("serve", "worker"))
    await asyncio.gather(serve.start(), worker.start())
    yield serve, worker
    await asyncio.gather(serve.kill(), worker.kill())


def prepare(server: EmbeddedServer) -> None:
    """As an operator does before the first migration: the login, and nothing else."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE ROLE officepro LOGIN NOINHERIT")


def warnings_of(*services: Service) -> list[dict[str, Any]]:
    return [line for service in services for line in service.lines() if line["level"] in ("warning", "error")]


@pytest.mark.timeout(180)
async def test_they_wait_and_go_on(server: EmbeddedServer, api: Api, services: tuple[Service, Service]) -> None:
    serve, worker = services
    await api.has_begun()
    async with api.watched("/v1/admin/practices", OFTEN) as statuses:
        # Away at start.
        await api.is_missing(UNREACHABLE)
        await worker.has_logged("database_unavailable")
        # There, and not migrated.
        server.launch()
        prepare(server)
        await api.is_missing(NOT_MIGRATED)
        assert set(statuses) == {503}
        migrate(server.url("officepro"), "officepro")
        assert await api.is_missing() < RECOVERED_SECONDS
        await asyncio.gather(serve.has_logged("ready", times=2, within_seconds=10), worker.has_logged("ready"))

        # Killed.
        began, before = time.monotonic(), len(warnings_of(*services))
        kill(server)
        await api.is_missing(UNREACHABLE)
        await asyncio.sleep(2)
        server.launch()
        assert await api.is_missing() < RECOVERED_SECONDS
        await worker.has_logged("database_available", times=2, within_seconds=RECOVERED_SECONDS)
        lines = len(warnings_of(*services)) - before
        assert lines <= LINES_PER_MINUTE, warnings_of(*services)
        assert time.monotonic() - began < 60  # so that those are the lines of a minute

        # Frozen.
        before = len(warnings_of(*services))
        with frozen(server):
            await api.is_missing(NO_ANSWER, within_seconds=30)
        assert await api.is_missing() < RECOVERED_SECONDS
        assert len(warnings_of(*services)) - before <= LINES_PER_MINUTE
        served = len(statuses)
        async with asyncio.timeout(30):
            while len(statuses) < served + 40:  # noqa: ASYNC110 -- the callers go on meanwhile
                await asyncio.sleep(0.05)
        assert set(statuses[served + 8 :]) == {200}

    assert set(api.health) == {200}
    assert (await serve.stop(), await worker.stop()) == (0, 0)
    for service in services:
        assert service.messages()[0] == "starting"
        assert service.messages()[-2:] == ["stopping", "stopped"]
    states = [line for line in warnings_of(*services) if line["message"] == "database_unavailable"]
    assert {"unreachable", "not_migrated"} <= {line["kind"] for line in states}
    assert all("officepro" in line["reason"] for line in states)
