"""Appending of events that an EMR reports, of any webhook scope, in batches. (API.md: Admin endpoints)

An EMR that writes straight to the database calls the SQL function `append_to_log` instead (migration 0006).
"""

from collections.abc import Sequence

import msgspec

from officepro.foundation.database import Connection
from officepro.foundation.wire import END

EVENT_FORM = rf"^[a-z_]{{1,50}}[.][a-z_]{{1,50}}{END}"
MAXIMUM_DATA_BYTES = 16 * 1024


class Entry(msgspec.Struct, frozen=True):
    """An event to append."""

    scope: str
    event: str
    entity_id: int | None
    data: str  # a JSON object


async def append(db: Connection, practice_id: int, entries: Sequence[Entry]) -> list[int]:
    """Append events; return their numbers in the order of `entries`. Call last: locks the practice."""
    rows = await db.fetch(
        """
        WITH head AS (UPDATE log_head SET last = last + $2 WHERE practice_id = $1 RETURNING last - $2 AS before)
        INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
        SELECT $1, head.before + number, scope, event, entity_id, data::jsonb
        FROM head, unnest($3::text[], $4::text[], $5::bigint[], $6::text[])
                   WITH ORDINALITY AS entry (scope, event, entity_id, data, number)
        ORDER BY number RETURNING log_id
        """,
        practice_id,
        len(entries),
        [entry.scope for entry in entries],
        [entry.event for entry in entries],
        [entry.entity_id for entry in entries],
        [entry.data for entry in entries],
    )
    return [row["log_id"] for row in rows]
