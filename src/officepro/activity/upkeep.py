"""What the request log needs now and then: a partition for each of the coming days, and none older than it is kept.

await upkeep.keep_up(database, clock.now(), settings.request_log_retention_days)
"""

from datetime import datetime, timedelta

from officepro.foundation.database import Connection, Database

DAYS_AHEAD = 8  # a worker that stands still for a week does no harm


async def keep_up(database: Database, now: datetime, retention_days: int) -> None:
    """Safe to run twice, and by two at once. Raises OfficeProError."""
    async with database.system() as db:
        for days in range(DAYS_AHEAD):
            await _add_day(db, now + timedelta(days=days))
        oldest = now - timedelta(days=retention_days)
        await db.execute("SELECT drop_partitions('request_log', $1)", oldest)
        await db.execute("DELETE FROM request_log_default WHERE happened_at < $1", oldest)


async def _add_day(db: Connection, moment: datetime) -> None:
    """Not while the default partition holds calls of that day, which is there for days without one of their own."""
    await db.execute(
        """
        SELECT add_partitions('request_log', 'day', $1, 1) WHERE NOT EXISTS (
            SELECT FROM request_log_default WHERE happened_at >= date_trunc('day', $1, 'UTC')
            AND happened_at < date_trunc('day', $1, 'UTC') + interval '1 day')
        """,
        moment,
    )
