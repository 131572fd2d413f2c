"""Queries for generated records: insert whole tables of a practice at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from officepro.foundation.database import Connection
from officepro.foundation.wire import encode


async def insert(db: Connection, practice_id: int, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert all rows in one statement. The rows have equal columns; `practice_id` is added.

    COPY would be faster, but PostgreSQL does not support COPY FROM on tables with row-level security.
    """
    if rows:
        columns = ", ".join(rows[0])
        await db.execute(
            f"""
            INSERT INTO {table} (practice_id, {columns})
            SELECT $1, {columns} FROM json_populate_recordset(NULL::{table}, $2::text::json)
            """,
            practice_id,
            encode(rows).decode(),
        )


async def has_people(db: Connection, practice_id: int) -> bool:
    """True if the practice has patients. Locks the practice's log_head row, so that concurrent callers wait for the
    commit."""
    await db.execute("SELECT last FROM log_head WHERE practice_id = $1 FOR UPDATE", practice_id)
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM patient WHERE practice_id = $1)", practice_id)
    return found


async def write_history(db: Connection, practice_id: int) -> None:
    """Insert the visit history derived from the final state of the practice's visits."""
    await db.execute(
        """
        INSERT INTO visit_history
            (practice_id, visit_id, from_status, to_status, from_starts_at, to_starts_at, reason, happened_at)
        SELECT $1, visit_id, from_status, to_status, CASE WHEN from_status IS NOT NULL THEN starts_at END, starts_at,
               CASE WHEN from_status IS NOT NULL THEN cancel_reason END, happened_at
        FROM visit, LATERAL (VALUES (NULL, 'booked', created_at), ('booked', status, updated_at))
            AS step (from_status, to_status, happened_at)
        WHERE practice_id = $1 AND to_status IS DISTINCT FROM from_status ORDER BY happened_at, visit_id
        """,
        practice_id,
    )


async def partner_with(db: Connection, email: str) -> int | None:
    """Return the id of the first partner with this e-mail, or None."""
    partner_id: int | None = await db.fetchval("SELECT min(partner_id) FROM partner WHERE email = $1", email)
    return partner_id


async def active_keys_named(db: Connection, partner_id: int, name: str) -> list[int]:
    """Return the ids of the partner's unrevoked keys of this name."""
    rows = await db.fetch(
        "SELECT api_key_id FROM api_key WHERE partner_id = $1 AND name = $2 AND revoked_at IS NULL", partner_id, name
    )
    return [row["api_key_id"] for row in rows]
