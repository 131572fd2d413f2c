"""Maintenance holds up no booking, whatever else reads the tables: a dump holds a lock on each until it ends."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from officepro.foundation.database import Database
from officepro.foundation.embedded import EmbeddedServer
from tests.world import Office

LONGEST_WAIT_SECONDS = 1.0
NEXT = "SELECT add_partitions('log', 'month', now() + interval '9 months', 1)"


@asynccontextmanager
async def dump(server: EmbeddedServer, database: str) -> AsyncIterator[asyncpg.Connection]:
    """Reads the log as pg_dump does: ACCESS SHARE on the parent and on all partitions, until its transaction ends."""
    connection = await asyncpg.connect(server.url(database))
    transaction = connection.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    await connection.execute("LOCK TABLE log IN ACCESS SHARE MODE")
    try:
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


async def add(database: Database, statement: str = NEXT) -> str:
    """What became of it: how many partitions were added, or by what it failed."""
    try:
        async with database.system() as db:
            return str(await db.fetchval(statement))
    except Exception as error:
        return type(error).__name__


async def longest_wait(office: Office, during: "asyncio.Task[str]") -> float:
    """In seconds, of writers to the log while something goes on."""
    longest = 0.0
    while True:
        began = time.monotonic()
        answer = await office.partner.post("/prospects", json={"FirstName": "Ada"})
        assert answer.status_code == 201, answer.text
        longest = max(longest, time.monotonic() - began)
        if during.done():
            return longest
        await asyncio.sleep(0.01)


async def test_during_a_dump_a_partition_is_added_later_and_nobody_waits(
    server: EmbeddedServer, database_name: str, database: Database, demo_office: Office, owner: asyncpg.Connection
) -> None:
    name = await owner.fetchval("SELECT 'log_' || to_char(now() + interval '9 months', 'YYYYMM')")
    await owner.execute(f"DROP TABLE IF EXISTS {name}")
    async with dump(server, database_name):
        adding = asyncio.create_task(add(database))
        assert await longest_wait(demo_office, adding) < LONGEST_WAIT_SECONDS
        assert await adding == "Overloaded"
        dropping = asyncio.create_task(add(database, "SELECT drop_partitions('log', now() - interval '370 days')"))
        assert await longest_wait(demo_office, dropping) < LONGEST_WAIT_SECONDS
    assert await add(database) == "1"
    await owner.execute(f"DROP TABLE {name}")


async def test_a_reader_of_the_parent_alone_keeps_no_partition_from_being_added(
    server: EmbeddedServer, database_name: str, database: Database, owner: asyncpg.Connection
) -> None:
    name = await owner.fetchval("SELECT 'log_' || to_char(now() + interval '9 months', 'YYYYMM')")
    connection = await asyncpg.connect(server.url(database_name))
    async with connection.transaction():
        await connection.execute("LOCK TABLE ONLY log IN ROW EXCLUSIVE MODE")
        assert await add(database) == "1"
    await connection.close()
    await owner.execute(f"DROP TABLE {name}")
