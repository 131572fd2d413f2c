"""Visits in the database, as the verbs of booking.py write them.

Each write is one statement that locks the practice's counter first. So writers of one practice take turns, the
exclusion constraints never meet an uncommitted neighbour, and no two bookings can deadlock.
"""

from datetime import datetime
from typing import Any

import msgspec

from officepro import events
from officepro.foundation.database import MEANING, Connection, Row
from officepro.foundation.errors import Conflict, Impossible
from officepro.scheduling.visit_queries import ROW, TIMES

_THIN = "jsonb_build_object('VisitID', visit_id, 'PatientID', patient_id, 'ProviderID', provider_id)"


class ProviderTaken(Conflict):
    """The provider's time was taken in this very moment."""

    code = "slot_unavailable"


class RoomTaken(Conflict):
    """The room was taken in this very moment."""

    code = "slot_unavailable"


class UnknownPatient(Impossible):
    """There is no such patient in this practice; GET /prospects finds them, POST /prospects makes one."""

    code = "unknown_patient"


MEANING["visit_provider_free"] = ProviderTaken
MEANING["visit_room_free"] = RoomTaken
MEANING["visit_patient"] = UnknownPatient


class Times(msgspec.Struct, frozen=True):
    """The moments of a visit: its own, the provider's part, and that with its buffers."""

    starts_at: datetime
    ends_at: datetime
    provider_starts_at: datetime
    provider_ends_at: datetime
    busy_starts_at: datetime
    busy_ends_at: datetime

    def values(self) -> tuple[datetime, ...]:
        return msgspec.structs.astuple(self)


def _history(source: str, from_status: str, from_starts_at: str, reason: str) -> str:
    return f"""
        history AS (
            INSERT INTO visit_history (practice_id, visit_id, from_status, to_status, from_starts_at, to_starts_at,
                                       api_key_id, reason)
            SELECT $1, visit_id, {from_status}, status, {from_starts_at}, starts_at, $2, {reason} FROM {source}
        )"""


_BOOK = f"""
    WITH {events.HEAD},
    made AS (
        INSERT INTO visit (practice_id, api_key_id, patient_id, provider_id, room_id, needs_room, visit_type, status,
                           {TIMES}, complaint, notes)
        SELECT $1, $2, $3, $4, $5, $6, $7, 'booked', $8, $9, $10, $11, $12, $13, $14, $15 FROM head
        RETURNING {ROW}
    ),
    {_history("made", "NULL", "NULL", "NULL")},
    {events.logged("visit.booked", "made", "visit_id", _THIN)}
    SELECT * FROM made
"""


async def book(
    db: Connection,
    practice_id: int,
    api_key_id: int,
    *,
    patient_id: int,
    provider_id: int,
    room_id: int | None,
    needs_room: bool,
    visit_type: str,
    times: Times,
    complaint: str | None,
    notes: str | None,
) -> Row:
    """Visit, history and event. Raises ProviderTaken, RoomTaken, UnknownPatient."""
    return await _written(
        db,
        _BOOK,
        practice_id,
        api_key_id,
        patient_id,
        provider_id,
        room_id,
        needs_room,
        visit_type,
        *times.values(),
        complaint,
        notes,
    )


_HOLD = f"""
    WITH head AS (SELECT last FROM log_head WHERE practice_id = $1 FOR UPDATE),
    made AS (
        INSERT INTO visit (practice_id, api_key_id, provider_id, room_id, needs_room, visit_type, status, {TIMES},
                           held_until)
        SELECT $1, $2, $3, $4, $5, $6, 'held', $7, $8, $9, $10, $11, $12,
               statement_timestamp() + make_interval(secs => $13) FROM head
        RETURNING {ROW}
    ),
    {_history("made", "NULL", "NULL", "NULL")}
    SELECT * FROM made
"""


async def hold(
    db: Connection,
    practice_id: int,
    api_key_id: int,
    *,
    provider_id: int,
    room_id: int | None,
    needs_room: bool,
    visit_type: str,
    times: Times,
    ttl_seconds: int,
) -> Row:
    """Takes the time as a booking would. A hold is nobody's business but its holder's: it makes no event."""
    return await _written(
        db,
        _HOLD,
        practice_id,
        api_key_id,
        provider_id,
        room_id,
        needs_room,
        visit_type,
        *times.values(),
        float(ttl_seconds),
    )


_BOOK_HELD = f"""
    WITH {events.HEAD},
    made AS (
        UPDATE visit SET status = 'booked', held_until = NULL, patient_id = $4, complaint = $5, notes = $6,
                         version = version + 1, updated_at = now()
        FROM head WHERE practice_id = $1 AND visit_id = $3 AND status = 'held' AND held_until > statement_timestamp()
        RETURNING {ROW}
    ),
    {_history("made", "'held'", "starts_at", "NULL")},
    {events.logged("visit.booked", "made", "visit_id", _THIN)}
    SELECT * FROM made
"""


async def book_held(
    db: Connection,
    practice_id: int,
    api_key_id: int,
    hold_id: int,
    *,
    patient_id: int,
    complaint: str | None,
    notes: str | None,
) -> Row | None:
    """None when the hold has ended meanwhile: then the transaction must be undone, or the log would have a hole."""
    return await db.fetchrow(_BOOK_HELD, practice_id, api_key_id, hold_id, patient_id, complaint, notes)


_MOVE = f"""
    WITH {events.HEAD},
    earlier AS (SELECT visit_id AS id, status AS was, starts_at AS began FROM visit
                WHERE practice_id = $1 AND visit_id = $3),
    made AS (
        UPDATE visit SET provider_id = $4, room_id = $5, needs_room = $6, visit_type = $7, starts_at = $8, ends_at = $9,
                         provider_starts_at = $10, provider_ends_at = $11, busy_starts_at = $12, busy_ends_at = $13,
                         complaint = $14, notes = $15, version = version + 1, updated_at = now()
        FROM head WHERE practice_id = $1 AND visit_id = $3 AND status = 'booked' AND version = $16
        RETURNING {ROW}
    ),
    {_history("made JOIN earlier ON id = visit_id", "was", "began", "NULL")},
    {events.logged("visit.rescheduled", "made", "visit_id", _THIN)}
    SELECT * FROM made
"""


async def move(
    db: Connection,
    practice_id: int,
    api_key_id: int,
    visit_id: int,
    *,
    provider_id: int,
    room_id: int | None,
    needs_room: bool,
    visit_type: str,
    times: Times,
    complaint: str | None,
    notes: str | None,
    version: int,
) -> Row | None:
    """The old time is freed and the new one taken in one statement. None when the visit was changed meanwhile: then
    the transaction must be undone, or the log would have a hole."""
    return await db.fetchrow(
        _MOVE,
        practice_id,
        api_key_id,
        visit_id,
        provider_id,
        room_id,
        needs_room,
        visit_type,
        *times.values(),
        complaint,
        notes,
        version,
    )


async def annotate(
    db: Connection, practice_id: int, visit_id: int, *, complaint: str | None, notes: str | None, version: int
) -> Row | None:
    """Complaint and notes alone, which take no time. None when the visit was changed meanwhile."""
    return await db.fetchrow(
        f"""
        UPDATE visit SET complaint = $3, notes = $4, version = version + 1, updated_at = now()
        WHERE practice_id = $1 AND visit_id = $2 AND version = $5 RETURNING {ROW}
        """,
        practice_id,
        visit_id,
        complaint,
        notes,
        version,
    )


_CANCEL = f"""
    WITH {events.HEAD},
    made AS (
        UPDATE visit SET status = 'cancelled', held_until = NULL, cancel_reason = $4, version = version + 1,
                         updated_at = now()
        FROM head WHERE practice_id = $1 AND visit_id = $3 AND status = 'booked'
        RETURNING {ROW}
    ),
    {_history("made", "'booked'", "starts_at", "$4")},
    {events.logged("visit.cancelled", "made", "visit_id", _THIN)}
    SELECT * FROM made
"""


async def cancel(db: Connection, practice_id: int, api_key_id: int, visit_id: int, reason: str) -> Row | None:
    """None when there is no such visit, or none that is booked: then the transaction must be undone, or the log would
    have a hole."""
    return await db.fetchrow(_CANCEL, practice_id, api_key_id, visit_id, reason)


async def release_hold(db: Connection, practice_id: int, api_key_id: int, hold_id: int) -> Row | None:
    """None when this key holds nothing of that number."""
    return await db.fetchrow(
        f"""
        WITH made AS (
            UPDATE visit SET status = 'cancelled', held_until = NULL, cancel_reason = 'released', version = version + 1,
                             updated_at = now()
            WHERE practice_id = $1 AND visit_id = $3 AND api_key_id = $2 AND status = 'held'
              AND held_until > statement_timestamp()
            RETURNING {ROW}
        ),
        {_history("made", "'held'", "starts_at", "'released'")}
        SELECT * FROM made
        """,
        practice_id,
        api_key_id,
        hold_id,
    )


async def take_turn(db: Connection, practice_id: int) -> None:
    """Locks the practice's counter for the rest of the transaction, and frees what was held too long."""
    await db.execute("SELECT last FROM log_head WHERE practice_id = $1 FOR UPDATE", practice_id)
    await release_expired(db, practice_id)


async def release_expired(db: Connection, practice_id: int) -> int:
    """A hold past its time is free already to all who look; this frees it to the exclusion constraints too."""
    released: int = await db.fetchval(
        """
        WITH made AS (
            UPDATE visit SET status = 'cancelled', held_until = NULL, cancel_reason = 'hold expired',
                             version = version + 1, updated_at = now()
            WHERE practice_id = $1 AND status = 'held' AND held_until <= statement_timestamp()
            RETURNING visit_id, status, starts_at
        ),
        history AS (
            INSERT INTO visit_history
                (practice_id, visit_id, from_status, to_status, from_starts_at, to_starts_at, reason)
            SELECT $1, visit_id, 'held', status, starts_at, starts_at, 'hold expired' FROM made
        )
        SELECT count(*) FROM made
        """,
        practice_id,
    )
    return released


async def note_written(db: Connection, practice_id: int) -> None:
    """Visits were written by other statements than these: what workers remember of free times is true no more."""
    await db.execute(
        "INSERT INTO visit_written_elsewhere (practice_id) VALUES ($1) ON CONFLICT DO NOTHING", practice_id
    )


async def _written(db: Connection, statement: str, *arguments: Any) -> Row:
    row = await db.fetchrow(statement, *arguments)
    assert row is not None
    return row
