"""SQL queries for visits and visit types; visit_writes.py has the writes."""

from datetime import datetime
from typing import Any

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import NotFound
from officepro.foundation.paging import MAXIMUM_TOTAL, Page

TIMES = "starts_at, ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at"
# An expired hold counts as cancelled, whether or not its row has been updated.
STATUS = "CASE WHEN status = 'held' AND held_until <= statement_timestamp() THEN 'cancelled' ELSE status END"
ROW = f"""
    visit_id, patient_id, provider_id, room_id, visit_type, {STATUS} AS status, {TIMES}, held_until, complaint, notes,
    cancel_reason, api_key_id, version, created_at, updated_at
"""


class UnknownVisit(NotFound):
    """This practice has no visit with this ID. GET /visits lists its visits."""

    code = "unknown_visit"


async def one(db: Connection, practice_id: int, visit_id: int) -> Row:
    """Return a visit. Raises UnknownVisit."""
    row = await db.fetchrow(f"SELECT {ROW} FROM visit WHERE practice_id = $1 AND visit_id = $2", practice_id, visit_id)
    if row is None:
        raise UnknownVisit
    return row


async def history(db: Connection, practice_id: int, visit_id: int) -> list[Row]:
    """Return the status and time changes of a visit, oldest first."""
    return await db.fetch(
        """
        SELECT happened_at, from_status, to_status, from_starts_at, to_starts_at, api_key_id, reason
        FROM visit_history WHERE practice_id = $1 AND visit_id = $2 ORDER BY visit_history_id
        """,
        practice_id,
        visit_id,
    )


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Filter of visits. The start is in [`begins`, `ends`); None: not filtered."""

    begins: datetime | None = None
    ends: datetime | None = None
    provider_id: int | None = None
    patient_id: int | None = None
    status: str | None = None


async def some(db: Connection, practice_id: int, wanted: Filter, page: Page) -> tuple[list[Row], int]:
    """Return a page of visits in order of time, and their total number (counted up to MAXIMUM_TOTAL)."""
    arguments: list[Any] = [practice_id]
    where = _conditions(wanted, arguments)
    total: int = await db.fetchval(
        f"SELECT count(*) FROM (SELECT FROM visit WHERE {where} LIMIT {MAXIMUM_TOTAL}) AS counted", *arguments
    )
    arguments += [page.limit, page.offset]
    rows = await db.fetch(
        f"""
        SELECT {ROW} FROM visit WHERE {where}
        ORDER BY starts_at, visit_id LIMIT ${len(arguments) - 1} OFFSET ${len(arguments)}
        """,
        *arguments,
    )
    return rows, total


def _conditions(wanted: Filter, arguments: list[Any]) -> str:
    conditions = ["practice_id = $1"]
    for value, condition in (
        (wanted.begins, "starts_at >= {}"),
        (wanted.ends, "starts_at < {}"),
        (wanted.provider_id, "provider_id = {}"),
        (wanted.patient_id, "patient_id = {}"),
        (wanted.status, f"({STATUS}) = {{}}"),
    ):
        if value is not None:
            arguments.append(value)
            conditions.append(condition.format(f"${len(arguments)}"))
    return " AND ".join(conditions)


async def visit_types(db: Connection, practice_id: int, *, include_inactive: bool) -> list[Row]:
    """Return visit types by name, with the IDs of their providers and rooms."""
    return await db.fetch(
        """
        SELECT visit_type, active,
               ARRAY(SELECT provider_id FROM visit_type_provider allowed WHERE practice_id = $1
                     AND allowed.visit_type = visit_type.visit_type ORDER BY provider_id) AS providers,
               ARRAY(SELECT room_id FROM visit_type_room allowed WHERE practice_id = $1
                     AND allowed.visit_type = visit_type.visit_type ORDER BY room_id) AS rooms
        FROM visit_type WHERE practice_id = $1 AND (active OR $2) ORDER BY visit_type
        """,
        practice_id,
        include_inactive,
    )
