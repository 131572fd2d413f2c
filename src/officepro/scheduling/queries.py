"""Visits in the database, as those read them who look for free time.

Every query finds visits by a window on `starts_at`, whose index row-level security leaves usable (it does not leave
the ranges' own).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.scheduling.questions import Asked, Question, Visits

# How far a visit may begin before or behind the times that it is in the way of: it takes a day at most, and a buffer of
# 240 minutes may go before it or follow it. (visit_reach)
REACH_BEFORE = timedelta(minutes=1440 + 240)
REACH_BEHIND = timedelta(minutes=240)
SHORT = timedelta(days=8)  # so few rows that nobody minds waiting for others' as well

Range = tuple[int, int]  # epoch seconds


class Look(msgspec.Struct, frozen=True):
    """Where is looked: at whom, at which rooms, between which moments, the buffers of the visit that is looked for
    counted in."""

    provider_ids: Sequence[int]
    room_ids: Sequence[int]
    begins: datetime
    ends: datetime


class Seen(NamedTuple):
    """What was there, told by so little that nothing changes without changing it.

    Of a few days of one provider: the rows themselves, as long as anything has changed in the practice. Whoever writes
    a row leaves the number of the transaction on it. The hash is over each row's number and its writer's, so rows that
    were written anew, in whatever order their writers came to an end, are told from those that were seen. (A hold that
    ends is not counted any more.)

    Of more, where there may be thousands of rows: what has changed in the practice. Whatever we do with a visit moves
    the practice's counter, except that we hold a time, and holds end by themselves: so the hash is over the holds, and
    over the traces that others leave who write visits (migration 0013).
    """

    version: int | None  # of the practice's set-up
    number: int  # of rows, or the number of the practice's last event
    rows_hash: int  # 64 bits


class Glance(NamedTuple):
    """What is there now."""

    changes: Seen  # of the practice
    seen: Seen | None  # None: nothing in the practice has changed since


class Busy(msgspec.Struct, frozen=True):
    """The time that is taken."""

    seen: Seen
    booked: dict[int, list[Range]]  # by provider
    held: dict[int, list[Range]]  # by provider
    rooms: dict[int, list[Range]]  # by room


# By the statement's clock: the transaction's stands still while it waits for its turn.
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

# Visits are found by when they start; what is over before the time that is looked at, or begins behind it, is left out
# right there.
_OF_PROVIDER = f"""
    FROM visit WHERE practice_id = :practice AND provider_id = :provider AND starts_at >= :after
    AND starts_at < :before AND busy_ends_at > :begins AND busy_starts_at < :ends AND {_STANDS}
"""
_IN_THE_WAY = f"""
    practice_id = :practice AND starts_at >= :after AND starts_at < :before
    AND greatest(busy_ends_at, ends_at) > :begins AND least(busy_starts_at, starts_at) < :ends
    AND {_STANDS} AND visit_id IS DISTINCT FROM :but_visit
"""
# Two index scans, whatever the size of the practice: of the provider, and of the rooms.
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
    """What keeps providers and rooms busy; `but_visit`, which is to be moved, aside."""
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
    """What `busy` would have seen; the same as then means the same rows. `changes` are those of an earlier glance: as
    long as they stand nothing else is asked, and it is asked once for all who ask at the moment."""
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
