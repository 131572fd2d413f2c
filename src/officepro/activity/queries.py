"""Queries of the request log and its daily figures; under the system role.

Figures are stored per key and endpoint, and also for all keys together, as practice, partner and key -1.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.wire import encode

# A crash of PostgreSQL may lose the last half second of the log, as whole transactions from the end, so that rows and
# figures agree. Waiting for the disk thirty times a second would slow down the commits that must be durable.
_NEED_NOT_WAIT = "set_config('synchronous_commit', 'off', true)"
# Times are capped at the database's clock, by which partitions are created: the clock of this process may be ahead.
_WRITE = f"""
    WITH logged AS (
        INSERT INTO request_log (happened_at, method, endpoint, status, duration_microseconds, partner_id, api_key_id,
                                 practice_id, address, request_id, client_request_id)
        SELECT least(call.happened_at, now()), call.method, call.endpoint, call.status, call.duration_microseconds,
               call.partner_id, call.api_key_id,
               coalesce(call.practice_id,
                        (SELECT practice_id FROM practice WHERE practice.practicepass = call.practicepass)),
               call.address, call.request_id, call.client_request_id
        FROM json_to_recordset($1) AS call (
            happened_at timestamptz, method text, endpoint text, status smallint, duration_microseconds integer,
            partner_id bigint, api_key_id bigint, practice_id bigint, practicepass text, address text, request_id text,
            client_request_id text)
        RETURNING happened_at, request_log_id
    )
    INSERT INTO request_log_unsummed (first_at, last_at, request_log_ids)
    SELECT min(happened_at), max(happened_at), array_agg(request_log_id) FROM logged, {_NEED_NOT_WAIT}
"""
_MOST_SUMMED = 200  # rows of request_log_unsummed at once
_SUM = f"""
    WITH taken AS (
        DELETE FROM request_log_unsummed WHERE request_log_unsummed_id IN (
            SELECT request_log_unsummed_id FROM request_log_unsummed
            ORDER BY request_log_unsummed_id LIMIT {_MOST_SUMMED} FOR UPDATE SKIP LOCKED)
        RETURNING first_at, last_at, request_log_ids
    ),
    called AS MATERIALIZED (
        SELECT (happened_at AT TIME ZONE 'UTC')::date AS day, coalesce(practice_id, 0) AS practice_id,
               coalesce(partner_id, 0) AS partner_id, coalesce(api_key_id, 0) AS api_key_id, method, endpoint,
               floor(4 * ln(greatest(duration_microseconds, 1)::float8) / ln(2::float8))::smallint AS bucket,
               count(*) AS calls, count(*) FILTER (WHERE status BETWEEN 400 AND 499) AS caller_errors,
               count(*) FILTER (WHERE status >= 500) AS own_errors, sum(duration_microseconds) AS duration_microseconds
        FROM request_log
        WHERE happened_at >= (SELECT min(first_at) FROM taken) AND happened_at <= (SELECT max(last_at) FROM taken)
        AND request_log_id IN (SELECT unnest(request_log_ids) FROM taken)
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ),
    counted AS MATERIALIZED (
        SELECT called.day, whose.*, method, endpoint, bucket, calls, caller_errors, own_errors, duration_microseconds
        FROM called, LATERAL (VALUES (practice_id, partner_id, api_key_id), (-1, -1, -1))
            AS whose (practice_id, partner_id, api_key_id)
    ),
    summed AS (
        INSERT INTO request_day AS kept (day, practice_id, partner_id, api_key_id, method, endpoint, calls,
                                         caller_errors, own_errors, duration_microseconds)
        SELECT day, practice_id, partner_id, api_key_id, method, endpoint, sum(calls), sum(caller_errors),
               sum(own_errors), sum(duration_microseconds)
        FROM counted GROUP BY 1, 2, 3, 4, 5, 6
        ORDER BY 1, 2 DESC, 3, 4, 5, 6  -- so that two workers cannot deadlock, what they share coming last
        ON CONFLICT ON CONSTRAINT request_day_key DO UPDATE SET
            calls = kept.calls + excluded.calls,
            caller_errors = kept.caller_errors + excluded.caller_errors,
            own_errors = kept.own_errors + excluded.own_errors,
            duration_microseconds = kept.duration_microseconds + excluded.duration_microseconds
    ),
    lasted AS (
        INSERT INTO request_day_duration AS kept (day, practice_id, partner_id, api_key_id, bucket, calls)
        SELECT day, practice_id, partner_id, api_key_id, bucket, sum(calls)
        FROM counted GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2 DESC, 3, 4, 5
        ON CONFLICT ON CONSTRAINT request_day_duration_key DO UPDATE SET calls = kept.calls + excluded.calls
    )
    SELECT count(*) FROM taken, {_NEED_NOT_WAIT}
"""


async def write(db: Connection, calls: Sequence[object]) -> None:
    """Insert calls, each with the fields of `recorder.Call`. The figures include them after `sum_up`."""
    await db.execute(_WRITE, encode(calls).decode())


async def sum_up(db: Connection) -> None:
    """Add all calls that are not in the figures yet, of any process. Safe to run concurrently."""
    while await db.fetchval(_SUM) == _MOST_SUMMED:
        pass


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions of a list of calls; None means any."""

    practice_id: int | None = None
    partner_id: int | None = None
    api_key_id: int | None = None
    method: str | None = None
    endpoint: str | None = None
    least_status: int | None = None
    greatest_status: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, int] | None = None  # the last row of the previous page


_CONDITIONS = (
    ("practice_id", "log.practice_id = {}"),
    ("partner_id", "log.partner_id = {}"),
    # A key belongs to one partner, and there is an index by partner.
    ("api_key_id", "log.api_key_id = {0} AND log.partner_id = (SELECT partner_id FROM api_key WHERE api_key_id = {0})"),
    ("method", "log.method = {}"),
    ("endpoint", "log.endpoint = {}"),
    ("since", "log.happened_at >= {}"),
    ("until", "log.happened_at < {}"),
)


async def calls(db: Connection, wanted: Filter, limit: int) -> list[Row]:
    """Return the matching calls, newest first."""
    arguments: list[Any] = []
    conditions = list(_of_status(wanted))
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
               log.request_id, log.client_request_id
        FROM (SELECT * FROM request_log log WHERE {" AND ".join(conditions)}
              ORDER BY log.happened_at DESC, log.request_log_id DESC LIMIT ${len(arguments)}) AS log
        LEFT JOIN partner USING (partner_id) LEFT JOIN practice ON practice.practice_id = log.practice_id
        ORDER BY log.happened_at DESC, log.request_log_id DESC
        """,
        *arguments,
    )


def _of_status(wanted: Filter) -> Iterator[str]:
    """Yield the conditions on the status, with literal numbers: the partial indexes of errors are used only for
    literals."""
    yield f"log.status BETWEEN {wanted.least_status or 0:d} AND {wanted.greatest_status or 999:d}"
    for boundary in (400, 500):
        if (wanted.least_status or 0) >= boundary:
            yield f"log.status >= {boundary}"


class Figures(msgspec.Struct, frozen=True):
    """Sums of a period."""

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


async def figures(
    db: Connection,
    since: datetime,
    until: datetime,
    practice_id: int | None = None,
    partner_id: int | None = None,
    api_key_id: int | None = None,
) -> Figures:
    """Return the sums of whole UTC days, from the day of `since` to the day before `until`."""
    which, arguments = _which(since, until, practice_id, partner_id, api_key_id)
    sums = await db.fetchrow(f"SELECT {_SUMS} FROM request_day WHERE {which}", *arguments)
    assert sums is not None
    rows = await db.fetch(
        f"SELECT bucket, sum(calls)::bigint FROM request_day_duration WHERE {which} GROUP BY bucket", *arguments
    )
    durations = [0] * (max((row[0] for row in rows), default=-1) + 1)
    for bucket, number in rows:
        durations[bucket] = number
    calls, caller_errors, own_errors, duration_microseconds = sums
    return Figures(calls, caller_errors, own_errors, duration_microseconds, durations)


async def by_day(
    db: Connection,
    since: datetime,
    until: datetime,
    practice_id: int | None = None,
    partner_id: int | None = None,
    api_key_id: int | None = None,
) -> list[tuple[date, int, int]]:
    """Return (UTC day, calls, errors) of each day, also of days without a call, oldest first."""
    which, arguments = _which(since, until, practice_id, partner_id, api_key_id)
    rows = await db.fetch(
        f"""
        SELECT day, coalesce(calls, 0)::bigint, coalesce(errors, 0)::bigint
        FROM (SELECT day::date FROM generate_series($1::date, $2::date - 1, interval '1 day') AS day) AS days
        LEFT JOIN (SELECT day, sum(calls) AS calls, sum(caller_errors + own_errors) AS errors
                   FROM request_day WHERE {which} GROUP BY day) AS sums USING (day)
        ORDER BY day
        """,
        *arguments,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def by_endpoint(
    db: Connection,
    since: datetime,
    until: datetime,
    practice_id: int | None = None,
    partner_id: int | None = None,
    api_key_id: int | None = None,
    limit: int = 50,
) -> list[Row]:
    """Return the sums of the endpoints with the most calls."""
    which, arguments = _which(since, until, practice_id, partner_id, api_key_id)
    return await db.fetch(
        f"""
        SELECT method, endpoint, {_SUMS} FROM request_day WHERE {which}
        GROUP BY 1, 2 ORDER BY 3 DESC, 2, 1 LIMIT ${len(arguments) + 1}
        """,
        *arguments,
        limit,
    )


def _which(since: datetime, until: datetime, *whose: int | None) -> tuple[str, list[Any]]:
    """Return the SQL conditions and arguments of a period and its practice, partner and key; only those that are given,
    so that the right index is used.

    The sums of all keys are stored as practice -1: a few rows a day, for any number of keys.
    """
    conditions = ["day >= $1::date", "day < $2::date"]
    if whose == (None, None, None):
        conditions.append("practice_id = -1")
    arguments: list[Any] = [since.date(), until.date()]
    for column, value in zip(("practice_id", "partner_id", "api_key_id"), whose, strict=True):
        if value is not None:
            arguments.append(value)
            conditions.append(f"{column} = ${len(arguments)}")
            if column == "api_key_id":  # a key belongs to one partner, and there is an index by partner
                conditions.append(f"partner_id = (SELECT partner_id FROM api_key WHERE {column} = ${len(arguments)})")
    return " AND ".join(conditions), arguments
