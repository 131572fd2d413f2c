"""Reading of the event log: by number for polling partners, and search by time."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from officepro.foundation.database import Connection, Row

MAXIMUM_LOOKED_AT = 10_000  # log rows per request: bounds the reads for a key with a rare scope


class Feed(msgspec.Struct, frozen=True):
    """A part of the log: `rows` has all events of the requested scopes from `after` (exclusive) to `next_after`."""

    rows: Sequence[Row]
    next_after: int
    first_log_id: int | None  # the oldest event still stored; None: the log is empty
    last_log_id: int


async def feed(db: Connection, practice_id: int, scopes: Sequence[str], after: int, limit: int) -> Feed:
    """Return up to `limit` events after number `after`. One statement: rows and `last_log_id` are consistent."""
    until = min(after + MAXIMUM_LOOKED_AT, 2**63 - 1)
    rows = await db.fetch(
        """
        WITH found AS MATERIALIZED (
            SELECT log_id, scope, event, data::text, occurred_at FROM log
            WHERE practice_id = $1 AND log_id > $3 AND log_id <= $4 AND scope = ANY ($2)
            ORDER BY log_id LIMIT $5
        )
        SELECT head.last, (SELECT min(log_id) FROM log WHERE practice_id = $1) AS first, found.*
        FROM log_head head LEFT JOIN found ON true WHERE head.practice_id = $1 ORDER BY found.log_id
        """,
        practice_id,
        list(scopes),
        after,
        until,
        limit,
    )
    if not rows:
        return Feed([], after, None, 0)
    last, first = rows[0]["last"], rows[0]["first"]
    found = [row for row in rows if row["log_id"] is not None]
    next_after = found[-1]["log_id"] if len(found) == limit else max(after, min(until, last))
    return Feed(found, next_after, first, last)


async def last_log_id(db: Connection, practice_id: int) -> int:
    """Return the number of the newest event; 0 if there is none."""
    return await db.fetchval("SELECT last FROM log_head WHERE practice_id = $1", practice_id) or 0


async def first_log_id_since(db: Connection, practice_id: int, since: datetime) -> int | None:
    """Return the number of the first event at or after a time; None if there is none.

    Binary search: times ascend with numbers, and an index on time would slow every write.
    """
    low = await db.fetchval("SELECT min(log_id) FROM log WHERE practice_id = $1", practice_id)
    high = await last_log_id(db, practice_id) + 1
    if low is None:
        return None
    end = high
    while low < high:
        middle = (low + high) // 2
        occurred = await db.fetchval(
            "SELECT occurred_at FROM log WHERE practice_id = $1 AND log_id = $2", practice_id, middle
        )
        if occurred is not None and occurred >= since:
            high = middle
        else:
            low = middle + 1
    return low if low < end else None
