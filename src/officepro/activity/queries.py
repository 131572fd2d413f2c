"""The request log and its hourly figures, in the database; under the system role."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from officepro.foundation.database import Connection, Row

_WRITE = """
    WITH rows AS (
        INSERT INTO request_log (happened_at, method, endpoint, status, duration_microseconds, partner_id, api_key_id,
                                 practice_id, address, request_id)
        SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::smallint[], $5::integer[], $6::bigint[],
                             $7::bigint[], $8::bigint[], $9::text[], $10::text[])
    )
    INSERT INTO request_hour AS kept (hour, practice_id, partner_id, api_key_id, method, endpoint, calls, caller_errors,
                                      own_errors, duration_microseconds, durations)
    SELECT hour, practice_id, partner_id, api_key_id, method, endpoint, calls, caller_errors, own_errors,
           duration_microseconds, durations
    FROM jsonb_to_recordset($11::text::jsonb) AS new (
        hour timestamptz, practice_id bigint, partner_id bigint, api_key_id bigint, method text, endpoint text,
        calls bigint, caller_errors bigint, own_errors bigint, duration_microseconds bigint, durations bigint[])
    ORDER BY hour, practice_id, partner_id, api_key_id, method, endpoint  -- so that two workers cannot deadlock
    ON CONFLICT ON CONSTRAINT request_hour_key DO UPDATE SET
        calls = kept.calls + excluded.calls,
        caller_errors = kept.caller_errors + excluded.caller_errors,
        own_errors = kept.own_errors + excluded.own_errors,
        duration_microseconds = kept.duration_microseconds + excluded.duration_microseconds,
        durations = ARRAY(SELECT old + new FROM unnest(kept.durations, excluded.durations)
                          WITH ORDINALITY AS both (old, new, place) ORDER BY place)
"""


async def write(db: Connection, rows: Sequence[tuple[Any, ...]], hours: Sequence[dict[str, Any]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    await db.execute(_WRITE, *columns, msgspec.json.encode(hours).decode())


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls are wanted."""

    practice_id: int | None = None
    partner_id: int | None = None
    api_key_id: int | None = None
    method: str | None = None
    endpoint: str | None = None
    least_status: int | None = None
    greatest_status: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, int] | None = None  # the last one of the page before


_CONDITIONS = (
    ("practice_id", "log.practice_id = {}"),
    ("partner_id", "log.partner_id = {}"),
    ("api_key_id", "log.api_key_id = {}"),
    ("method", "log.method = {}"),
    ("endpoint", "log.endpoint = {}"),
    ("least_status", "log.status >= {}"),
    ("greatest_status", "log.status <= {}"),
    ("since", "log.happened_at >= {}"),
    ("until", "log.happened_at < {}"),
)


async def calls(db: Connection, wanted: Filter, limit: int) -> list[Row]:
    """Newest first."""
    arguments: list[Any] = []
    conditions = ["true"]
    for name, condition in _CONDITIONS:
        if (value := getattr(wanted, name)) is not None:
            arguments.append(value)
            conditions.append(condition.format(f"${len(arguments)}"))
    if wanted.before is not None:
        arguments += wanted.before
        conditions.append(f"(log.happened_at, log.request_log_id) < (${len(arguments) - 1}, ${len(arguments)})")
    arguments.append(limit)
    return await db.fetch(
        f"""
        SELECT log.request_log_id, log.happened_at, log.method, log.endpoint, log.status, log.duration_microseconds,
               log.partner_id, partner.company, log.api_key_id, log.practice_id, practice.practicepass, log.address,
               log.request_id
        FROM (SELECT * FROM request_log log WHERE {" AND ".join(conditions)}
              ORDER BY log.happened_at DESC, log.request_log_id DESC LIMIT ${len(arguments)}) AS log
        LEFT JOIN partner USING (partner_id) LEFT JOIN practice ON practice.practice_id = log.practice_id
        ORDER BY log.happened_at DESC, log.request_log_id DESC
        """,
        *arguments,
    )


class Figures(msgspec.Struct, frozen=True):
    """The sums of a time."""

    calls: int
    caller_errors: int
    own_errors: int
    duration_microseconds: int
    durations: list[int]


_SUMS = """
    coalesce(sum(calls), 0)::bigint AS calls, coalesce(sum(caller_errors), 0)::bigint AS caller_errors,
    coalesce(sum(own_errors), 0)::bigint AS own_errors,
    coalesce(sum(duration_microseconds), 0)::bigint AS duration_microseconds
"""
_OF = """
    hour >= $1 AND hour < $2 AND ($3::bigint IS NULL OR practice_id = $3)
    AND ($4::bigint IS NULL OR partner_id = $4) AND ($5::bigint IS NULL OR api_key_id = $5)
"""


async def figures(
    db: Connection,
    since: datetime,
    until: datetime,
    practice_id: int | None = None,
    partner_id: int | None = None,
    api_key_id: int | None = None,
) -> Figures:
    row = await db.fetchrow(
        f"""
        SELECT {_SUMS}, ARRAY(
            SELECT sum(number)::bigint FROM request_hour, unnest(durations) WITH ORDINALITY AS bucket (number, place)
            WHERE {_OF} GROUP BY place ORDER BY place) AS durations
        FROM request_hour WHERE {_OF}
        """,
        since,
        until,
        practice_id,
        partner_id,
        api_key_id,
    )
    assert row is not None
    return Figures(*row.values())


async def by_day(
    db: Connection,
    since: datetime,
    until: datetime,
    practice_id: int | None = None,
    partner_id: int | None = None,
    api_key_id: int | None = None,
) -> list[tuple[date, int, int]]:
    """(UTC day, calls, errors), oldest first, days without a call too."""
    rows = await db.fetch(
        f"""
        SELECT day::date, coalesce(sum(calls), 0)::bigint, coalesce(sum(caller_errors + own_errors), 0)::bigint
        FROM generate_series($1 AT TIME ZONE 'UTC', $2 AT TIME ZONE 'UTC' - interval '1 second', '1 day') AS day
        LEFT JOIN request_hour ON hour >= day AT TIME ZONE 'UTC' AND hour < (day + interval '1 day') AT TIME ZONE 'UTC'
             AND {_OF}
        GROUP BY day ORDER BY day
        """,
        since,
        until,
        practice_id,
        partner_id,
        api_key_id,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def by_endpoint(
    db: Connection,
    since: datetime,
    until: datetime,
    practice_id: int | None = None,
    partner_id: int | None = None,
    api_key_id: int | None = None,
) -> list[Row]:
    """The endpoints that were called most."""
    return await db.fetch(
        f"SELECT method, endpoint, {_SUMS} FROM request_hour WHERE {_OF} GROUP BY 1, 2 ORDER BY 3 DESC, 2, 1 LIMIT 50",
        since,
        until,
        practice_id,
        partner_id,
        api_key_id,
    )
