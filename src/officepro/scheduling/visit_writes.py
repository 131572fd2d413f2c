"""SQL writes of visits: book, hold, reschedule, annotate, cancel, release.

Each write that takes a time is one statement that acquires the practice lock (the `log_head` row) first. So writers of
one practice are serialized, the exclusion constraints never meet an uncommitted row, and bookings cannot deadlock.
(docs/decisions/0001)
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
    """The provider's time has just been booked by another request. Choose another time."""

    code = "slot_unavailable"


class RoomTaken(Conflict):
    """The room has just been booked by another request. Choose another time."""

    code = "slot_unavailable"


class UnknownPatient(Impossible):
    """This practice has no patient with this PatientID. GET /prospects finds patients, POST /prospects creates one."""

    code = "unknown_patient"


MEANING["visit_provider_free"] = ProviderTaken
MEANING["visit_room_free"] = RoomTaken
MEANING["visit_patient"] = UnknownPatient


class Times(msgspec.Struct, frozen=True):
    """Start and end of a visit, of the provider's part, and of that part with its buffers (`busy_`)."""

    starts_at: datetime
    ends_at: datetime
    provider_starts_at: datetime
    provider_ends_at: datetime
    busy_starts_at: datetime
    busy_ends_at: datetime

    def values(self) -> tuple[datetime, ...]:
        """Return the timestamps in the order of `TIMES`."""
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
    """Insert visit, history and event; return the visit. Raises ProviderTaken, RoomTaken, UnknownPatient."""
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
    """Insert a hold and its history; return the row. Raises ProviderTaken, RoomTaken.

    Holds are private to their API key: no event is emitted.
    """
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
    """Convert a hold into a visit, with history and event; return the visit. Raises UnknownPatient.

    None if the hold has ended: the caller must then roll back, or the event log would have a gap.
    """
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
    """Free the old time and take the new one in one statement; return the visit. Raises ProviderTaken, RoomTaken.

    None if the visit's version or status has changed: the caller must then roll back, or the event log would have a
    gap.
    """
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
    """Update complaint and notes; return the visit. None if its version has changed."""
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
    """Cancel a booked visit, with history and event; return the visit.

    None if there is no booked visit with this ID: the caller must then roll back, or the event log would have a gap.
    """
    return await db.fetchrow(_CANCEL, practice_id, api_key_id, visit_id, reason)


async def release_hold(db: Connection, practice_id: int, api_key_id: int, hold_id: int) -> Row | None:
    """Release an active hold of this API key, with history; return the row. None if there is none with this ID."""
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
    """Acquire the practice lock (`log_head` row) until the end of the transaction, and release expired holds."""
    await db.execute("SELECT last FROM log_head WHERE practice_id = $1 FOR UPDATE", practice_id)
    await release_expired(db, practice_id)


async def release_expired(db: Connection, practice_id: int) -> int:
    """Cancel expired holds of a practice, with history; return their number.

    Queries already ignore expired holds; this makes the exclusion constraints ignore them too.
    """
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
    """Mark that other statements have written visits, which invalidates cached availability of the practice."""
    await db.execute(
        "INSERT INTO visit_written_elsewhere (practice_id) VALUES ($1) ON CONFLICT DO NOTHING", practice_id
    )


async def _written(db: Connection, statement: str, *arguments: Any) -> Row:
    row = await db.fetchrow(statement, *arguments)
    assert row is not None
    return row
