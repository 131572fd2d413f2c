"""Table partitions: add them in advance, and drop them when all their rows are past retention.

All times are from the database's clock, which also dates the rows; a worker's clock may be wrong. Each partition is
added in its own transaction, which waits at most 100 ms for each lock (migration 0019). While a dump reads the table,
adding fails and is retried, so that no other transaction has to wait. Partitions are added months ahead (days for the
request log).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

from officepro.foundation.database import Connection, Database

MOVING_SECONDS = 300  # timeout of moving rows out of a default partition: many if the clock was wrong


class Partitioned(NamedTuple):
    """A partitioned table and how far ahead its partitions are added."""

    table: str
    unit: Literal["day", "month"]
    ahead: int  # number of partitions, including the current one


LOG = Partitioned("log", "month", 4)
DELIVERIES = Partitioned("webhook_delivery", "month", 4)
REQUESTS = Partitioned("request_log", "day", 8)  # tolerates a week without a worker


async def add(database: Database, partitioned: Partitioned) -> None:
    """Add the missing partitions, and move the rows of the default partition into them."""
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
    """Drop the partitions whose rows are all older than `retention_days`."""
    async with database.system() as db:
        await db.execute(
            "SELECT drop_partitions($1, now() - make_interval(days => $2))", partitioned.table, retention_days
        )


async def drop_deliveries(database: Database, retention_days: int) -> None:
    """Drop the partitions of deliveries older than `retention_days`. A partition is kept while it has an open delivery,
    such as one of a paused subscription."""
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
