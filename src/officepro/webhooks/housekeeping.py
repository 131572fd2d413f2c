"""What else a worker sees to, now and then: partitions ahead and past, answers kept for repeats; a function a duty."""

import asyncio
import logging
import random
from datetime import datetime, timedelta
from functools import partial

from officepro.activity import upkeep
from officepro.foundation import clock
from officepro.foundation.database import NO_PRACTICE, Connection, Database
from officepro.foundation.errors import OfficeProError

EVERY_SECONDS = 3600
JITTER_SECONDS = 300  # several workers need not meet
MONTHS_AHEAD = 4
LOG_KEPT_DAYS = 400  # the log outlives its deliveries, so that a partner can still pull and replay
IDEMPOTENCY_KEPT = timedelta(hours=24)

logger = logging.getLogger("officepro.worker")
_random = random.SystemRandom()


async def always(database: Database, delivery_retention_days: int, request_log_retention_days: int) -> None:
    """Each duty by itself, so that one that fails keeps no other from being done."""
    while True:
        now = clock.now()
        for duty in (
            partial(add_partitions, database, now),
            partial(drop_partitions, database, now, delivery_retention_days),
            partial(purge_idempotency, database, now),
            partial(upkeep.keep_up, database, now, request_log_retention_days),
        ):
            try:
                await duty()
            except OfficeProError as error:
                logger.warning("housekeeping_failed", extra={"cause": error.code})
        await asyncio.sleep(EVERY_SECONDS + _random.random() * JITTER_SECONDS)


async def add_partitions(database: Database, now: datetime) -> None:
    for table in ("log", "webhook_delivery"):
        async with database.system() as db:
            await db.execute("SELECT add_partitions($1, 'month', $2, $3)", table, now, MONTHS_AHEAD)


async def drop_partitions(database: Database, now: datetime, delivery_retention_days: int) -> None:
    log_kept_days = max(LOG_KEPT_DAYS, delivery_retention_days)
    for table, days in (("webhook_delivery", delivery_retention_days), ("log", log_kept_days)):
        async with database.system() as db:
            await db.execute("SELECT drop_partitions($1, $2)", table, now - timedelta(days=days))


async def purge_idempotency(database: Database, now: datetime) -> None:
    """Practice by practice under its own wall, for the answers kept may speak of people."""
    before = now - IDEMPOTENCY_KEPT
    async with database.system() as db:
        practices = await db.fetch("SELECT practice_id FROM practice")
        await _purge(db, NO_PRACTICE, before)
    for row in practices:
        async with database.practice(row["practice_id"]) as db:
            await _purge(db, row["practice_id"], before)


async def _purge(db: Connection, practice_id: int, before: datetime) -> None:
    await db.execute("DELETE FROM idempotency WHERE practice_id = $1 AND created_at < $2", practice_id, before)
