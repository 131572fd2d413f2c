"""Databases of the growth benchmark: 10, 100 and 1,000 practices that differ only in their number, and one practice
with a million people. Created by the code of `officepro demo`, so an interrupted run continues where it stopped."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from officepro.demo.big import Wanted, grow_demo
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations.run import migrate
from officepro.settings import Settings

PATIENTS_EACH, CALLS_EACH = 1_000, 10_000  # of a practice
VISITS_EACH = {"small": 200, "usual": 2_000, "full": 10_000}
LOGGED_DAYS = 30
BATCH_OF_CALLS = 250_000

ADD_DAYS = f"SELECT add_partitions('request_log', 'day', now() - interval '{LOGGED_DAYS - 1} days', {LOGGED_DAYS})"
# All fields of a call follow from its number; one in fifty is refused; none is of today, the day of the measurement.
ADD_CALLS = f"""
INSERT INTO request_log (happened_at, method, endpoint, status, duration_microseconds, partner_id, api_key_id,
                         practice_id, address, request_id)
SELECT date_trunc('day', now()) - (1 + number %% {LOGGED_DAYS - 1}) * interval '1 day'
           + (number * 7919 %% 86400) * interval '1 second',
       called.method, called.endpoint, CASE WHEN number %% 50 = 7 THEN 409 ELSE 200 END, 500 + number * 31 %% 9000,
       k.partner_id, k.api_key_id, p.practice_id, '203.0.113.7', 'r' || number
FROM generate_series(%(first)s::bigint, %(end)s::bigint - 1) AS number
JOIN (SELECT practice_id, row_number() OVER (ORDER BY practice_id) - 1 AS place FROM practice) AS p
    ON p.place = number %% (SELECT count(*) FROM practice)
JOIN (SELECT method, endpoint, row_number() OVER () - 1 AS place FROM (VALUES
    ('GET', '/v1/{{PPass}}/availability/providers/{{id}}/slots'),
    ('GET', '/v1/{{PPass}}/availability/providers/{{id}}/check'),
    ('GET', '/v1/{{PPass}}/availability/slots'), ('GET', '/v1/{{PPass}}/prospects'),
    ('GET', '/v1/{{PPass}}/prospects/{{id}}'), ('POST', '/v1/{{PPass}}/prospects'),
    ('POST', '/v1/{{PPass}}/visits/book'), ('POST', '/v1/{{PPass}}/visits/{{id}}/cancel'),
    ('GET', '/v1/{{PPass}}/tags'), ('GET', '/v1/{{PPass}}/events')) AS route (method, endpoint)) AS called
    ON called.place = number / (SELECT count(*) FROM practice) %% 10
CROSS JOIN (SELECT partner_id, api_key_id FROM api_key ORDER BY api_key_id DESC LIMIT 1) AS k
"""
SUM_CALLS = """
INSERT INTO request_day (day, practice_id, partner_id, api_key_id, method, endpoint, calls, caller_errors, own_errors,
                         duration_microseconds)
SELECT (happened_at AT TIME ZONE 'UTC')::date, practice_id, partner_id, api_key_id, method, endpoint, count(*),
       count(*) FILTER (WHERE status BETWEEN 400 AND 499), 0, sum(duration_microseconds)
FROM request_log GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO request_day_duration (day, practice_id, partner_id, api_key_id, bucket, calls)
SELECT (happened_at AT TIME ZONE 'UTC')::date, practice_id, partner_id, api_key_id,
       floor(4 * ln(greatest(duration_microseconds, 1)::float8) / ln(2::float8))::smallint, count(*)
FROM request_log GROUP BY 1, 2, 3, 4, 5;
"""


@dataclass(frozen=True)
class Size:
    """Size of a database: numbers of rows over all its practices."""

    practices: int
    patients: int
    visits: int
    calls: int
    in_one_practice: bool = False

    @property
    def database(self) -> str:
        """Return the database's name, which differs for each size."""
        return f"one_{self.patients}" if self.in_one_practice else f"growth_{self.practices}_{self.visits}"


@dataclass(frozen=True)
class Grown:
    """A filled database, with an API key that is valid for every practice."""

    size: Size
    settings: Settings
    owner_url: str
    api_key: str


def sizes(scale: str) -> list[Size]:
    """Return the sizes to measure; the last one is the single practice with many people."""
    counts, people = ((2, 10), 20_000) if scale == "small" else ((10, 100, 1_000), 1_000_000)
    visits = VISITS_EACH[scale]
    alike = [Size(count, count * PATIENTS_EACH, count * visits, count * CALLS_EACH) for count in counts]
    return [*alike, Size(1, people, people // 50, 0, in_one_practice=True)]


def grown(server: EmbeddedServer, size: Size, settings_for: Callable[[str], Settings]) -> Grown:
    """Create or complete the database. Progress is written to standard error, because this takes minutes."""
    server.create_database(size.database)
    owner_url = server.url(size.database)
    migrate(owner_url, "officepro")
    settings = settings_for(server.url(size.database, user="officepro"))
    _tell(f"{size.practices:,} practices, {size.patients:,} people, {size.visits:,} visits, {size.calls:,} calls ...")
    wanted = Wanted(
        practices=size.practices, patients=size.patients, visits=size.visits, in_one_practice=size.in_one_practice
    )
    made = grow_demo(settings, wanted, lambda what, rows: None)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        added = _add_calls(connection, size.calls)
        if made.patients or made.visits or added:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
    return Grown(size, settings, owner_url, made.api_key)


def _add_calls(connection: "psycopg.Connection[tuple[int]]", wanted: int) -> bool:
    found = connection.execute("SELECT count(*) FROM request_log").fetchone()
    there = found[0] if found else 0
    if there >= wanted:
        return False
    connection.execute(ADD_DAYS)
    connection.execute("TRUNCATE request_day, request_day_duration, request_log")
    for first in range(0, wanted, BATCH_OF_CALLS):
        end = min(first + BATCH_OF_CALLS, wanted)
        connection.execute(ADD_CALLS, {"first": first, "end": end})
    connection.execute(SUM_CALLS)
    return True


def _tell(what: str) -> None:
    sys.stderr.write(f"{what}{os.linesep}")
    sys.stderr.flush()
