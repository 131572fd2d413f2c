"""SQL queries for availability: busy times of providers and rooms, and versions of them for cache revalidation.

Every query finds visits by a window on `starts_at`: its index is usable under row-level security, the range indexes
are not.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.scheduling.questions import Asked, Question, Visits

# How far before or after a time a visit that overlaps it may start: a visit takes a day at most, with a buffer of up to
# 240 minutes before and after. (Constraint visit_reach)
REACH_BEFORE = timedelta(minutes=1440 + 240)
REACH_BEHIND = timedelta(minutes=240)
SHORT = timedelta(days=8)  # few enough rows to batch the query with others without delaying them

Range = tuple[int, int]  # epoch seconds


class Look(msgspec.Struct, frozen=True):
    """Range of visits to read: of these providers and rooms, between two times, including the requested buffers."""

    provider_ids: Sequence[int]
    room_ids: Sequence[int]
    begins: datetime
    ends: datetime


class Seen(NamedTuple):
    """Version of the availability data, like an ETag: any change to a relevant row changes it.

    For a few days of one provider it is computed from the rows: their number, and a hash over each row's ID and `xmin`,
    the ID of the transaction that wrote it. A rewritten row therefore changes the hash, in whatever order the writers
    committed. Expired holds are not counted.

    For more, where there may be thousands of rows, it is the version of the practice's data. Every visit that this
    service writes advances the practice's event counter, except that holds are created and expire without an event. So
    the hash is over the active holds, and over the markers of writes by other programs (migration 0013).
    """

    version: int | None  # of the practice configuration
    number: int  # of rows, or the number of the practice's last event
    rows_hash: int  # 64 bits


class Glance(NamedTuple):
    """Result of a cache revalidation: the current versions."""

    changes: Seen  # version of the practice's data
    seen: Seen | None  # version of the rows; None: the practice's data are unchanged


class Busy(msgspec.Struct, frozen=True):
    """Busy times of providers and rooms, with their version."""

    seen: Seen
    booked: dict[int, list[Range]]  # by provider
    held: dict[int, list[Range]]  # by provider
    rooms: dict[int, list[Range]]  # by room


# Not now(): the start of the transaction, which may have waited for the practice lock since.
_STANDS = "(status = 'booked' OR status = 'held' AND held_until > statement_timestamp())"
_ROWS_HASH = "coalesce(bit_xor(hashint8extended(visit_id, xmin::text::bigint)), 0)"
_SEEN = f"count(*) AS number, {_ROWS_HASH} AS rows_hash"
_CHANGES = f"""
    (SELECT last FROM log_head WHERE practice_id = :practice) AS number,
    (SELECT {_ROWS_HASH} FROM visit
     WHERE practice_id = :practice AND status = 'held' AND held_until > statement_timestamp())
    # (SELECT coalesce(bit_xor(hashint8extended(transaction_id::text::bigint, 0)), 0) FROM visit_written_elsewhere
       WHERE practice_id = :practice) AS rows_hash
"""

# Visits are found by their start; visits that end before the range or begin after it are filtered out in the same scan.
_OF_PROVIDER = f"""
    FROM visit WHERE practice_id = :practice AND provider_id = :provider AND starts_at >= :after
    AND starts_at < :before AND busy_ends_at > :begins AND busy_starts_at < :ends AND {_STANDS}
"""
_IN_THE_WAY = f"""
    practice_id = :practice AND starts_at >= :after AND starts_at < :before
    AND greatest(busy_ends_at, ends_at) > :begins AND least(busy_starts_at, starts_at) < :ends
    AND {_STANDS} AND visit_id IS DISTINCT FROM :but_visit
"""
# Two index scans for any size of practice: one for the provider, one for the rooms.
_OF_PROVIDER_AND_ROOMS = f"""
    FROM (SELECT visit.*, xmin FROM visit WHERE provider_id = :provider AND {_IN_THE_WAY}
          UNION ALL
          SELECT visit.*, xmin FROM visit
          WHERE room_id = ANY (:rooms) AND provider_id <> :provider AND {_IN_THE_WAY}
    ) AS in_the_way
"""
_OF_MANY = f"FROM visit WHERE (provider_id = ANY (:providers) OR room_id = ANY (:rooms)) AND {_IN_THE_WAY}"

_PROVIDER_TIMES = """
    array_agg(floor(date_part('epoch', busy_starts_at))::bigint) {of_provider} AS starts,
    array_agg(ceil(date_part('epoch', busy_ends_at))::bigint) {of_provider} AS ends,
    array_agg(status = 'held') {of_provider} AS held
"""
_ROOM_TIMES = """
    array_agg(room_id) AS rooms,
    array_agg(floor(date_part('epoch', starts_at))::bigint) AS room_starts,
    array_agg(ceil(date_part('epoch', ends_at))::bigint) AS room_ends
"""
_TIMES_OF_ONE = _PROVIDER_TIMES.format(of_provider="")
_TIMES_OF_ONE_AND_ROOMS = f"""
    {_PROVIDER_TIMES.format(of_provider="FILTER (WHERE provider_id = :provider)")}, {_ROOM_TIMES}
"""
_TIMES_OF_MANY = f"{_TIMES_OF_ONE}, array_agg(provider_id) AS providers, {_ROOM_TIMES}"

_MOMENTS = {"after": "timestamptz", "before": "timestamptz", "begins": "timestamptz", "ends": "timestamptz"}
_OF_ONE = {**_MOMENTS, "provider": "bigint"}
_OF_ONE_AND_ROOMS = {**_OF_ONE, "rooms": "bigint[]", "but_visit": "bigint"}
_OF_SEVERAL = {**_MOMENTS, "providers": "bigint[]", "rooms": "bigint[]", "but_visit": "bigint"}

_BUSY_PROVIDER, _BUSY_PROVIDER_LONG = (
    Question.about(f"{seen}, {_TIMES_OF_ONE}", _OF_PROVIDER, _OF_ONE) for seen in (_SEEN, _CHANGES)
)
_BUSY_PROVIDER_AND_ROOMS, _BUSY_PROVIDER_AND_ROOMS_LONG = (
    Question.about(f"{seen}, {_TIMES_OF_ONE_AND_ROOMS}", _OF_PROVIDER_AND_ROOMS, _OF_ONE_AND_ROOMS)
    for seen in (_SEEN, _CHANGES)
)
_BUSY_MANY = Question.about(f"{_CHANGES}, {_TIMES_OF_MANY}", _OF_MANY, _OF_SEVERAL)


def _seen(whose: str, asks: dict[str, str]) -> Question:
    return Question.about(
        "changes.number AS changes, changes.rows_hash AS changes_hash, seen.number, seen.rows_hash",
        f"FROM (SELECT {_CHANGES}) AS changes, LATERAL (SELECT {_SEEN} {whose}) AS seen",
        asks,
    )


_SEEN_PROVIDER = _seen(_OF_PROVIDER, _OF_ONE)
_SEEN_PROVIDER_AND_ROOMS = _seen(_OF_PROVIDER_AND_ROOMS, _OF_ONE_AND_ROOMS)
_CHANGED = Question.about(_CHANGES, "", {})


def _is_short(look: Look) -> bool:
    return len(look.provider_ids) == 1 and look.ends - look.begins <= SHORT


def _asked(question: Question, practice_id: int, look: Look, *whose: object) -> Asked:
    moments = (look.begins - REACH_BEFORE, look.ends + REACH_BEHIND, look.begins, look.ends)
    return Asked(question, practice_id, (*moments, *whose), _is_short(look))


async def busy(visits: Visits, practice_id: int, look: Look, but_visit: int | None = None) -> Busy:
    """Read the busy times of providers and rooms. `but_visit`, a visit being rescheduled, is left out."""
    is_of_one, is_short = len(look.provider_ids) == 1, _is_short(look)
    if is_of_one and not look.room_ids and but_visit is None:
        question = _BUSY_PROVIDER if is_short else _BUSY_PROVIDER_LONG
        asked = _asked(question, practice_id, look, look.provider_ids[0])
    elif is_of_one:
        question = _BUSY_PROVIDER_AND_ROOMS if is_short else _BUSY_PROVIDER_AND_ROOMS_LONG
        asked = _asked(question, practice_id, look, look.provider_ids[0], look.room_ids, but_visit)
    else:
        asked = _asked(_BUSY_MANY, practice_id, look, look.provider_ids, look.room_ids, but_visit)
    row = await visits.ask(asked)
    found = Busy(
        Seen(row["version"], row["number"], row["rows_hash"]),
        {provider_id: [] for provider_id in look.provider_ids},
        {provider_id: [] for provider_id in look.provider_ids},
        {room_id: [] for room_id in look.room_ids},
    )
    if is_of_one:
        booked, held = found.booked[look.provider_ids[0]], found.held[look.provider_ids[0]]
        for starts, ends, is_held in zip(row["starts"] or (), row["ends"] or (), row["held"] or (), strict=True):
            (held if is_held else booked).append((starts, ends))
    else:
        _sort_out_providers(row, found)
    if look.room_ids:
        for room_id, starts, ends in zip(
            row["rooms"] or (), row["room_starts"] or (), row["room_ends"] or (), strict=True
        ):
            if room_id in found.rooms:
                found.rooms[room_id].append((starts, ends))
    return found


async def glance(visits: Visits, practice_id: int, look: Look, changes: Seen | None = None) -> Glance:
    """Return the versions that `busy` would read now; equal versions mean equal rows.

    `changes` is the practice's version from an earlier call: while it is still valid no rows are read, and concurrent
    calls for the same practice share one query.
    """
    is_short = _is_short(look)
    if changes is not None or not is_short:
        row = await visits.ask(Asked(_CHANGED, practice_id, (), is_short=True))
        now = Seen(row["version"], row["number"], row["rows_hash"])
        if now == changes or not is_short:
            return Glance(now, None if now == changes else now)
    if look.room_ids:
        asked = _asked(_SEEN_PROVIDER_AND_ROOMS, practice_id, look, look.provider_ids[0], look.room_ids, None)
    else:
        asked = _asked(_SEEN_PROVIDER, practice_id, look, look.provider_ids[0])
    row = await visits.ask(asked)
    version: int = row["version"]
    return Glance(Seen(version, row["changes"], row["changes_hash"]), Seen(version, row["number"], row["rows_hash"]))


def _sort_out_providers(row: Row, found: Busy) -> None:
    columns = (row[name] or () for name in ("providers", "starts", "ends", "held"))
    for provider_id, starts, ends, is_held in zip(*columns, strict=True):
        ranges = (found.held if is_held else found.booked).get(provider_id)
        if ranges is not None:
            ranges.append((starts, ends))


async def providers(db: Connection, practice_id: int) -> list[Row]:
    """Return the active providers by ID."""
    return await db.fetch(
        """
        SELECT provider_id, name, title, specialty FROM provider
        WHERE practice_id = $1 AND active ORDER BY provider_id
        """,
        practice_id,
    )


async def provider(db: Connection, practice_id: int, provider_id: int) -> Row | None:
    """Return an active provider, or None."""
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
    """Return the booked, completed and no-show visits that start from `begins` to before `ends`, in order of time."""
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
