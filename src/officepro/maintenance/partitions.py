"""Partitions: added before they are needed, dropped when all their rows are past their retention.

Everything goes by the database's clock, which dates the rows; a worker's own may be wrong. Each partition is added in a
transaction of its own, in which every lock is waited for at most 100 ms (migration 0019): while a dump reads a table,
adding fails and is tried again, and nobody else waits for it. There are months (days, for the request log) of time.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

from officepro.foundation.database import Connection, Database

MOVING_SECONDS = 300  # what a default partition took while the clock was wrong may be much


class Partitioned(NamedTuple):
    table: str
    unit: Literal["day", "month"]
    ahead: int  # how many, with the present one


LOG = Partitioned("log", "month", 4)
DELIVERIES = Partitioned("webhook_delivery", "month", 4)
REQUESTS = Partitioned("request_log", "day", 8)  # a worker that is away for a week does no harm


async def add(database: Database, partitioned: Partitioned) -> None:
    """Add what is missing, and empty the default partition."""
    for place in range(partitioned.ahead):
        async with _long_transaction(database) as db:
            await db.execute(
                "SELECT add_partitions($1, $2, date_trunc($2, now(), 'UTC') + $3 * ('1 ' || $2)::interval, 1)",
                partitioned.table,
                partitioned.unit,
                place,
                timeout=MOVING_SECONDS,
            )
    async with _long_transaction(database) as db:
        await db.execute(
            "SELECT empty_default_partition($1, $2)", partitioned.table, partitioned.unit, timeout=MOVING_SECONDS
        )


@asynccontextmanager
async def _long_transaction(database: Database) -> AsyncIterator[Connection]:
    async with database.system_transaction() as db:
        await db.execute(f"SET LOCAL statement_timeout = '{MOVING_SECONDS}s'")
        yield db


async def drop(database: Database, partitioned: Partitioned, retention_days: int) -> None:
    async with database.system() as db:
        await db.execute(
            "SELECT drop_partitions($1, now() - make_interval(days => $2))", partitioned.table, retention_days
        )


async def drop_deliveries(database: Database, retention_days: int) -> None:
    """Only finished deliveries age: a partition stays while a delivery in it is open, on a paused subscription say."""
    async with database.system() as db:
        before = await db.fetchval(
            """
            SELECT least(
                now() - make_interval(days => $1),
                (SELECT min(created_at) FROM webhook_delivery
                 WHERE due_at IS NOT NULL AND created_at < now() - make_interval(days => $1)),
                (SELECT min(created_at) FROM webhook_delivery
                 WHERE state = 'queued' AND created_at < now() - make_interval(days => $1)))
            """,
            retention_days,
        )
        await db.execute("SELECT drop_partitions('webhook_delivery', $1)", before)
