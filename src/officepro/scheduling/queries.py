"""Visits in the database, as those read them who look for free time.

Every query finds visits by a window on `starts_at`, whose index row-level security leaves usable (it does not leave
the ranges' own).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from officepro.foundation.database import BOUND, Connection, Row

# How far a visit may begin before or behind the times that it is in the way of: a visit takes a day at most, a buffer
# of 240 minutes may follow it, and one of 240 minutes may go before the visit that is looked for. (visit_reach)
REACH_BEFORE = timedelta(minutes=1440 + 240 + 240)
REACH_BEHIND = timedelta(minutes=240 + 240)
LONGEST_BUFFER = timedelta(minutes=240)  # of the visit that is looked for, before it

Range = tuple[int, int]  # epoch seconds


class Busy(msgspec.Struct, frozen=True):
    """The time that is taken, as of one version of the practice's set-up."""

    version: int | None
    booked: dict[int, list[Range]]  # by provider
    held: dict[int, list[Range]]  # by provider
    rooms: dict[int, list[Range]]  # by room


# By the statement's clock: the transaction's stands still while it waits for its turn.
_STANDS = "(status = 'booked' OR status = 'held' AND held_until > statement_timestamp())"

# Visits are found by when they start; what is over before the time that is looked at is left out right there.
_ONE_PROVIDER = f"""
    SELECT (SELECT version FROM practice_setup WHERE practice_id = bound.practice_id) AS version, busy.*
    FROM {BOUND}, LATERAL (
        SELECT array_agg(floor(date_part('epoch', busy_starts_at))::bigint) AS starts,
               array_agg(ceil(date_part('epoch', busy_ends_at))::bigint) AS ends,
               array_agg(status = 'held') AS held
        FROM visit WHERE practice_id = bound.practice_id AND provider_id = $5
             AND starts_at >= $2 AND starts_at < $3 AND busy_ends_at > $4 AND {_STANDS}
    ) AS busy
"""

_TIMES = """
    array_agg(provider_id) AS providers, array_agg(room_id) AS rooms,
    array_agg(floor(date_part('epoch', busy_starts_at))::bigint) AS starts,
    array_agg(ceil(date_part('epoch', busy_ends_at))::bigint) AS ends,
    array_agg(floor(date_part('epoch', starts_at))::bigint) AS room_starts,
    array_agg(ceil(date_part('epoch', ends_at))::bigint) AS room_ends,
    array_agg(status = 'held') AS held
"""
_IN_THE_WAY = f"""
    practice_id = bound.practice_id AND starts_at >= $2 AND starts_at < $3 AND greatest(busy_ends_at, ends_at) > $4
    AND {_STANDS} AND visit_id IS DISTINCT FROM $7
"""

# Two index scans, whatever the size of the practice: of the provider, and of the rooms.
_ONE_WITH_ROOMS = f"""
    SELECT (SELECT version FROM practice_setup WHERE practice_id = bound.practice_id) AS version, busy.*
    FROM {BOUND}, LATERAL (
        SELECT {_TIMES} FROM (
            SELECT * FROM visit WHERE provider_id = $5 AND {_IN_THE_WAY}
            UNION ALL
            SELECT * FROM visit WHERE room_id = ANY ($6) AND provider_id <> $5 AND {_IN_THE_WAY}) AS in_the_way
    ) AS busy
"""

_MANY = f"""
    SELECT (SELECT version FROM practice_setup WHERE practice_id = bound.practice_id) AS version, busy.*
    FROM {BOUND}, LATERAL (
        SELECT {_TIMES} FROM visit WHERE (provider_id = ANY ($5) OR room_id = ANY ($6)) AND {_IN_THE_WAY}
    ) AS busy
"""


async def busy_of_provider(
    db: Connection, practice_id: int, provider_id: int, begins: datetime, ends: datetime
) -> Busy:
    """What keeps one provider busy between two moments; its rooms are not asked for."""
    row = await db.fetchrow(_ONE_PROVIDER, str(practice_id), *_within(begins, ends), provider_id)
    assert row is not None
    booked: list[Range] = []
    held: list[Range] = []
    for starts, stops, is_held in zip(row["starts"] or (), row["ends"] or (), row["held"] or (), strict=True):
        (held if is_held else booked).append((starts, stops))
    return Busy(row["version"], {provider_id: booked}, {provider_id: held}, {})


async def busy_of_many(
    db: Connection,
    practice_id: int,
    provider_ids: Sequence[int],
    room_ids: Sequence[int],
    begins: datetime,
    ends: datetime,
    but_visit: int | None = None,
) -> Busy:
    """What keeps providers and rooms busy between two moments; `but_visit`, which is to be moved, aside."""
    query, whose = (_MANY, provider_ids) if len(provider_ids) != 1 else (_ONE_WITH_ROOMS, provider_ids[0])
    row = await db.fetchrow(query, str(practice_id), *_within(begins, ends), whose, room_ids, but_visit)
    assert row is not None
    busy = Busy(
        row["version"],
        {provider_id: [] for provider_id in provider_ids},
        {provider_id: [] for provider_id in provider_ids},
        {room_id: [] for room_id in room_ids},
    )
    if row["starts"] is not None:
        _sort_out(row, busy)
    return busy


def _within(begins: datetime, ends: datetime) -> tuple[datetime, datetime, datetime]:
    """Where visits start that may be in the way, and until when those last that are not."""
    return begins - REACH_BEFORE, ends + REACH_BEHIND, begins - LONGEST_BUFFER


def _sort_out(row: Row, busy: Busy) -> None:
    names = ("providers", "rooms", "starts", "ends", "room_starts", "room_ends", "held")
    for provider_id, room_id, starts, ends, room_starts, room_ends, is_held in zip(
        *(row[name] for name in names), strict=True
    ):
        ranges = (busy.held if is_held else busy.booked).get(provider_id)
        if ranges is not None:
            ranges.append((starts, ends))
        if room_id in busy.rooms:
            busy.rooms[room_id].append((room_starts, room_ends))


async def providers(db: Connection, practice_id: int) -> list[Row]:
    return await db.fetch(
        """
        SELECT provider_id, name, title, specialty FROM provider
        WHERE practice_id = $1 AND active ORDER BY provider_id
        """,
        practice_id,
    )


async def provider(db: Connection, practice_id: int, provider_id: int) -> Row | None:
    return await db.fetchrow(
        """
        SELECT provider_id, name, title, specialty FROM provider
        WHERE practice_id = $1 AND provider_id = $2 AND active
        """,
        practice_id,
        provider_id,
    )


async def schedule(
    db: Connection, practice_id: int, provider_id: int, begins: datetime, ends: datetime, visit_type: str | None
) -> list[Row]:
    """The visits that took or will take place between two moments, in order."""
    return await db.fetch(
        """
        SELECT visit_id, starts_at, ceil(date_part('epoch', ends_at - starts_at) / 60)::int AS minutes, visit_type
        FROM visit
        WHERE practice_id = $1 AND provider_id = $2 AND status IN ('booked', 'completed', 'noshow')
          AND starts_at >= $3 AND starts_at < $4 AND visit_type = coalesce($5, visit_type)
        ORDER BY starts_at, visit_id
        """,
        practice_id,
        provider_id,
        begins,
        ends,
        visit_type,
    )
