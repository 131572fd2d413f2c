"""Reading the log by number: for the partner who pulls, and for finding where a moment lies in it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from officepro.foundation.database import Connection, Row

MAXIMUM_LOOKED_AT = 10_000  # log rows: a key with a rare scope does not make one request read the whole log


class Feed(msgspec.Struct, frozen=True):
    """A part of the log. Everything of the wanted scopes from `after` to `next_after` is in `rows`."""

    rows: Sequence[Row]
    next_after: int
    first_log_id: int | None  # the oldest that is still kept; None: the log is empty
    last_log_id: int


async def feed(db: Connection, practice_id: int, scopes: Sequence[str], after: int, limit: int) -> Feed:
    """One statement, so that `last_log_id` and the rows are of one moment."""
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
    return await db.fetchval("SELECT last FROM log_head WHERE practice_id = $1", practice_id) or 0


async def first_log_id_since(db: Connection, practice_id: int, since: datetime) -> int | None:
    """The first event at or after a moment; None when there is none yet.

    By halving: numbers and times rise together, and an index by time would cost every writer.
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
