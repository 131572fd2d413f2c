"""Working time of a provider: weekly hours, extra opening days, time off."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime

import msgspec

from officepro.foundation.database import Connection
from officepro.foundation.errors import Fault, NotFound
from officepro.foundation.local_time import instant, is_skipped
from officepro.practices import week
from officepro.practices.lists import refuse, refuse_longer, said_twice, too_many
from officepro.practices.queries import move_version
from officepro.practices.week import Span

MAXIMUM_SPANS_OF_A_WEEK = 200
MAXIMUM_TIMES_OFF = 1000  # per provider
MAXIMUM_EXTRA_OPENINGS = 1000  # per provider


class UnknownProvider(NotFound):
    """There is no such provider in this practice; GET …/providers lists them."""

    code = "unknown_provider"


class UnknownTimeOff(NotFound):
    """This provider has no such time off."""

    code = "unknown_time_off"


class UnknownExtraHours(NotFound):
    """This provider has no such extra hours."""

    code = "unknown_extra_hours"


class TimeOff(msgspec.Struct, frozen=True):
    """A provider's time off."""

    time_off_id: int
    starts_at: datetime
    ends_at: datetime
    reason: str = ""


class GivenTimeOff(msgspec.Struct, frozen=True):
    """Time off as sent by the client."""

    time_off_id: int | None
    start: datetime  # without an offset: local time of the practice
    end: datetime
    reason: str | None  # None: unchanged


class ExtraOpening(msgspec.Struct, frozen=True):
    """Extra hours of a provider on one day."""

    extra_opening_id: int
    day: date
    starts_minute: int
    ends_minute: int


class GivenExtraOpening(msgspec.Struct, frozen=True):
    """Extra hours as sent by the client."""

    extra_opening_id: int | None
    day: date
    starts_minute: int
    ends_minute: int


async def week_of(db: Connection, practice_id: int, provider_id: int) -> list[Span]:
    """Return the weekly hours of a provider. Raises UnknownProvider."""
    await _find_provider(db, practice_id, provider_id)
    rows = await db.fetch(
        """
        SELECT weekday, starts_minute, ends_minute, valid_from, valid_until FROM working_hours
        WHERE practice_id = $1 AND provider_id = $2 ORDER BY valid_from NULLS FIRST, weekday, starts_minute
        """,
        practice_id,
        provider_id,
    )
    return [Span(*row) for row in rows]


async def put_week(db: Connection, practice_id: int, provider_id: int, spans: Sequence[Span]) -> list[Span]:
    """Replace all weekly hours of a provider by these spans. Raises Invalid, UnknownProvider."""
    refuse_longer(spans, MAXIMUM_SPANS_OF_A_WEEK)
    refuse(invalid=week.faults_of(spans))
    await move_version(db, practice_id)
    await _find_provider(db, practice_id, provider_id)
    await db.execute("DELETE FROM working_hours WHERE practice_id = $1 AND provider_id = $2", practice_id, provider_id)
    await db.executemany(
        """
        INSERT INTO working_hours
            (practice_id, provider_id, weekday, starts_minute, ends_minute, valid_from, valid_until)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        [(practice_id, provider_id, *span) for span in spans],
    )
    return await week_of(db, practice_id, provider_id)


async def times_off(db: Connection, practice_id: int, provider_id: int) -> list[TimeOff]:
    """Return the time off of a provider. Raises UnknownProvider."""
    await _find_provider(db, practice_id, provider_id)
    rows = await db.fetch(
        """
        SELECT time_off_id, starts_at, ends_at, reason FROM time_off
        WHERE practice_id = $1 AND provider_id = $2 ORDER BY starts_at, time_off_id
        """,
        practice_id,
        provider_id,
    )
    return [TimeOff(*row) for row in rows]


async def put_times_off(
    db: Connection, practice_id: int, provider_id: int, zone: str, given: Sequence[GivenTimeOff]
) -> list[TimeOff]:
    """Upsert time off; return it as stored, in the order given. An item without id matches time off of the same span.

    Raises Invalid, ImpossibleSetUp, UnknownProvider.
    """
    refuse_longer(given, MAXIMUM_TIMES_OFF)
    await move_version(db, practice_id)
    known = {one.time_off_id: one for one in await times_off(db, practice_id, provider_id)}
    spans = [(_instant(zone, item.start), _instant(zone, item.end)) for item in given]
    by_span = {(one.starts_at, one.ends_at): one.time_off_id for one in known.values()}
    ids = [item.time_off_id or by_span.get(span) for item, span in zip(given, spans, strict=True)]
    refuse(
        invalid=[*_backward(spans), *said_twice(ids, "id"), *said_twice(spans, "start")],
        impossible=[
            *_skipped(zone, given),
            *_unknown(ids, known, "time off"),
            *too_many(len(known), ids.count(None), MAXIMUM_TIMES_OFF, "times off of this provider"),
        ],
    )
    numbers = await _numbered(db, ids, "time_off_id_seq")
    changed = [
        TimeOff(number, starts_at, ends_at, _reason(item, known.get(number)))
        for number, (starts_at, ends_at), item in zip(numbers, spans, given, strict=True)
    ]
    await db.execute("DELETE FROM time_off WHERE practice_id = $1 AND time_off_id = ANY($2)", practice_id, numbers)
    await db.executemany(
        """
        INSERT INTO time_off (practice_id, provider_id, time_off_id, starts_at, ends_at, reason)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [(practice_id, provider_id, *msgspec.structs.astuple(one)) for one in changed],
    )
    return changed


def _instant(zone: str, given: datetime) -> datetime:
    return given.astimezone(UTC) if given.tzinfo else instant(zone, given)


def _backward(spans: Sequence[tuple[datetime, datetime]]) -> Iterator[Fault]:
    for index, (starts_at, ends_at) in enumerate(spans):
        if ends_at <= starts_at:
            yield Fault(f"body[{index}].end", "must be after start")


def _skipped(zone: str, given: Sequence[GivenTimeOff]) -> Iterator[Fault]:
    for index, item in enumerate(given):
        for field, time in (("start", item.start), ("end", item.end)):
            if not time.tzinfo and is_skipped(zone, time):
                yield Fault(f"body[{index}].{field}", f"does not exist in {zone} because of the daylight-saving change")


def _reason(item: GivenTimeOff, known: TimeOff | None) -> str:
    if item.reason is not None:
        return item.reason
    return known.reason if known else ""


async def remove_time_off(db: Connection, practice_id: int, provider_id: int, time_off_id: int) -> None:
    """Delete time off. Raises UnknownTimeOff."""
    await move_version(db, practice_id)
    if not await db.fetchval(
        "DELETE FROM time_off WHERE practice_id = $1 AND provider_id = $2 AND time_off_id = $3 RETURNING true",
        practice_id,
        provider_id,
        time_off_id,
    ):
        raise UnknownTimeOff


async def extra_openings(db: Connection, practice_id: int, provider_id: int) -> list[ExtraOpening]:
    """Return the extra hours of a provider. Raises UnknownProvider."""
    await _find_provider(db, practice_id, provider_id)
    rows = await db.fetch(
        """
        SELECT extra_opening_id, day, starts_minute, ends_minute FROM extra_opening
        WHERE practice_id = $1 AND provider_id = $2 ORDER BY day, starts_minute, extra_opening_id
        """,
        practice_id,
        provider_id,
    )
    return [ExtraOpening(*row) for row in rows]


async def put_extra_openings(
    db: Connection, practice_id: int, provider_id: int, given: Sequence[GivenExtraOpening]
) -> list[ExtraOpening]:
    """Upsert extra hours; return them as stored, in the order given. An item without id matches extra hours of the same
    span.

    Raises Invalid, ImpossibleSetUp, UnknownProvider.
    """
    refuse_longer(given, MAXIMUM_EXTRA_OPENINGS)
    await move_version(db, practice_id)
    known = await extra_openings(db, practice_id, provider_id)
    by_span = {(one.day, one.starts_minute, one.ends_minute): one.extra_opening_id for one in known}
    spans = [(item.day, item.starts_minute, item.ends_minute) for item in given]
    ids = [item.extra_opening_id or by_span.get(span) for item, span in zip(given, spans, strict=True)]
    refuse(
        invalid=[*said_twice(ids, "id"), *said_twice(spans, "start")],
        impossible=[
            *_unknown(ids, by_span.values(), "extra hours"),
            *too_many(len(known), ids.count(None), MAXIMUM_EXTRA_OPENINGS, "extra hours of this provider"),
        ],
    )
    numbers = await _numbered(db, ids, "extra_opening_id_seq")
    changed = [ExtraOpening(number, *span) for number, span in zip(numbers, spans, strict=True)]
    await db.execute(
        "DELETE FROM extra_opening WHERE practice_id = $1 AND extra_opening_id = ANY($2)", practice_id, numbers
    )
    await db.executemany(
        """
        INSERT INTO extra_opening (practice_id, provider_id, extra_opening_id, day, starts_minute, ends_minute)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [(practice_id, provider_id, *msgspec.structs.astuple(one)) for one in changed],
    )
    return changed


async def remove_extra_opening(db: Connection, practice_id: int, provider_id: int, extra_opening_id: int) -> None:
    """Delete extra hours. Raises UnknownExtraHours."""
    await move_version(db, practice_id)
    if not await db.fetchval(
        """
        DELETE FROM extra_opening WHERE practice_id = $1 AND provider_id = $2 AND extra_opening_id = $3 RETURNING true
        """,
        practice_id,
        provider_id,
        extra_opening_id,
    ):
        raise UnknownExtraHours


async def _find_provider(db: Connection, practice_id: int, provider_id: int) -> None:
    if not await db.fetchval(
        "SELECT EXISTS (SELECT FROM provider WHERE practice_id = $1 AND provider_id = $2)", practice_id, provider_id
    ):
        raise UnknownProvider


def _unknown(ids: Sequence[int | None], known: Collection[int], thing: str) -> Iterator[Fault]:
    for index, one in enumerate(ids):
        if one is not None and one not in known:
            yield Fault(f"body[{index}].id", f"this provider has no {thing} {one}; omit the id to create a new one")


async def _numbered(db: Connection, ids: Sequence[int | None], sequence: str) -> list[int]:
    """Return the ids, with new ones from the sequence for items without an id."""
    rows = await db.fetch("SELECT nextval($1::text::regclass) FROM generate_series(1, $2)", sequence, ids.count(None))
    new = iter(rows)
    return [next(new)[0] if one is None else one for one in ids]
