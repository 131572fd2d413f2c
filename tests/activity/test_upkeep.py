"""Partitions of the request log: there before they are needed, gone when they are old."""

from datetime import UTC, datetime, timedelta

import asyncpg

from officepro.activity import upkeep
from officepro.foundation.database import Database

FAR = datetime(2031, 5, 30, 12, tzinfo=UTC)


async def partitions(owner: asyncpg.Connection) -> set[str]:
    rows = await owner.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'request_log'::regclass"
    )
    return {row[0] for row in rows}


async def insert(owner: asyncpg.Connection, moment: datetime) -> None:
    await owner.execute(
        """
        INSERT INTO request_log (happened_at, method, endpoint, status, duration_microseconds, address, request_id)
        VALUES ($1, 'GET', '/', 200, 1, '', 'upkeep')
        """,
        moment,
    )


async def test_days_come_and_go(owner: asyncpg.Connection, database: Database) -> None:
    before = await partitions(owner)
    await insert(owner, FAR + timedelta(days=3))  # of a day that has no partition: it stays where it is
    await insert(owner, FAR - timedelta(days=91))

    await upkeep.keep_up(database, FAR, 400)
    await upkeep.keep_up(database, FAR, 400)

    made = await partitions(owner) - before
    assert made == {
        f"request_log_{day}" for day in (20310530, 20310531, 20310601, 20310603, 20310604, 20310605, 20310606)
    }
    assert await owner.fetchval("SELECT count(*) FROM request_log WHERE request_id = 'upkeep'") == 2


async def test_what_is_old_is_dropped_by_the_day(owner: asyncpg.Connection, database: Database) -> None:
    old = datetime(2019, 1, 1, tzinfo=UTC)
    await owner.execute("SELECT add_partitions('request_log', 'day', $1, 3)", old)
    await insert(owner, old + timedelta(days=1))
    await insert(owner, old - timedelta(days=9))

    await upkeep.keep_up(database, old + timedelta(days=92, hours=5), 90)

    left = {name for name in await partitions(owner) if "2019010" in name}
    assert left == {"request_log_20190103"}
    assert await owner.fetchval("SELECT count(*) FROM request_log WHERE happened_at < $1", old + timedelta(days=2)) == 0
