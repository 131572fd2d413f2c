"""A server that stops responding is detected once; its other connections are not tried one after the other."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest

from officepro.foundation.database import Connection, Database, DatabaseUnavailable, Overloaded
from officepro.foundation.errors import OfficeProError
from officepro.settings import Settings

CONNECTIONS = 3


@pytest.fixture
async def own(straight: Settings) -> AsyncIterator[Database]:
    """A database with all its connections open and idle."""
    database = await Database.connect(straight.database_url, pool_size=CONNECTIONS)
    async with database.practice(1), database.practice(2), database.practice(3):
        pass
    assert idle(database) == CONNECTIONS
    yield database
    await database.close()


def idle(database: Database) -> int:
    return database.connections()["application"][1]


def borrowed(database: Database, use: str) -> AbstractAsyncContextManager[Connection]:
    return database.practice(1) if use == "practice" else database.unbound()


@pytest.mark.parametrize("use", ["practice", "unbound"])
@pytest.mark.parametrize(
    ("failure", "told"),
    [(TimeoutError, Overloaded), (asyncpg.ReadOnlySQLTransactionError, DatabaseUnavailable)],
)
async def test_nothing_that_rests_is_kept(
    own: Database, use: str, failure: type[Exception], told: type[OfficeProError]
) -> None:
    with pytest.raises(told):
        async with borrowed(own, use):
            raise failure

    assert idle(own) == 0
    async with own.practice(1) as db:
        assert await db.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("use", ["practice", "unbound"])
async def test_what_is_only_wrong_with_the_work_costs_no_connection(own: Database, use: str) -> None:
    with pytest.raises(KeyError):
        async with borrowed(own, use):
            raise KeyError

    assert idle(own) == CONNECTIONS
