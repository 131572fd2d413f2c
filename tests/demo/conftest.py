"""Databases of their own for the demo, since it makes practices by fixed names."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import pytest

from officepro.demo.load import load
from officepro.foundation.database import Database
from officepro.foundation.embedded import EmbeddedServer
from tests.conftest import clone

NOW = datetime(2026, 3, 9, 14, 0, tzinfo=UTC)  # the Monday of the seeds' examples, 10:00 in New York


@dataclass
class Fresh:
    """A migrated database with nothing in it, as the application and as its owner see it."""

    url: str
    database: Database
    owner: asyncpg.Connection

    async def practice_id(self, practicepass: str) -> int:
        return int(await self.owner.fetchval("SELECT practice_id FROM practice WHERE practicepass = $1", practicepass))


NewDatabase = Callable[[], str]


@pytest.fixture(scope="session")
def new_database(server: EmbeddedServer, worker_id: str) -> NewDatabase:
    numbers = itertools.count(1)
    return lambda: clone(server, f"demo_{worker_id}_{next(numbers)}")


@asynccontextmanager
async def opened(server: EmbeddedServer, name: str) -> AsyncIterator[Fresh]:
    url = server.url(name, user="officepro")
    database = await Database.connect(url, pool_size=3)
    owner = await asyncpg.connect(server.url(name))
    try:
        yield Fresh(url, database, owner)
    finally:
        await owner.close()
        await database.close()


@pytest.fixture(scope="session")
def demo_database(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture(scope="session")
async def demo(server: EmbeddedServer, demo_database: str) -> AsyncIterator[Fresh]:
    """One with the demo loaded, for those who only look at it."""
    async with opened(server, demo_database) as fresh:
        await load(fresh.database, NOW)
        yield fresh


@pytest.fixture
def fresh_database(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture
async def fresh(server: EmbeddedServer, fresh_database: str) -> AsyncIterator[Fresh]:
    async with opened(server, fresh_database) as each:
        yield each
