"""Big data in the database: whole batches made by SQL out of their rows' numbers, which count from 0 in each practice.

The ids lie far above those that the sequences give, so that the API can go on making records beside them.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from officepro.demo.names import NEW_YORK
from officepro.foundation.database import Connection

FIRST_ID = 10_000_000_001  # of people and of visits
VISITS_OF_A_DAY = 11  # of a provider's 16 half hours
OF_THE_FIRST = 6  # providers and rooms for a Consult

TIME_ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "Europe/Berlin")


class BigPractice(msgspec.Struct, frozen=True):
    practice_id: int
    practicepass: str
    zone: str
    made_on: date  # its visits are laid around this day
    providers: int


async def establish(db: Connection, how_many: int) -> None:
    """Practices Demo0001 to DemoNNNN with their logs and set-ups; those that are there stay as they are."""
    made = await db.fetch(
        """
        INSERT INTO practice (practicepass, name, time_zone)
        SELECT 'Demo' || lpad(number::text, 4, '0'), 'Big data ' || number,
               ($2::text[])[1 + number % cardinality($2::text[])]
        FROM generate_series(1, $1::integer) AS number
        ON CONFLICT (practicepass) DO NOTHING RETURNING practice_id
        """,
        how_many,
        TIME_ZONES,
    )
    practices = [(row["practice_id"],) for row in made]
    await db.executemany("INSERT INTO log_head (practice_id) VALUES ($1)", practices)
    await db.executemany("INSERT INTO practice_setup (practice_id) VALUES ($1)", practices)


async def established(db: Connection, how_many: int) -> list[BigPractice]:
    """In the order of their names, none furnished yet; those of these names that are not big data are left out."""
    rows = await db.fetch(
        """
        SELECT practice_id, practicepass, time_zone, (created_at AT TIME ZONE time_zone)::date, 0
        FROM generate_series(1, $1::integer) AS number
        JOIN practice ON practicepass = 'Demo' || lpad(number::text, 4, '0') AND name = 'Big data ' || number
        ORDER BY number
        """,
        how_many,
    )
    return [BigPractice(*row) for row in rows]


async def furnish(db: Connection, practice_id: int, providers: int) -> int:
    """Providers, a room and an ordinary week for each, two visit types; how many providers it has, then or before."""
    await db.execute("SELECT last FROM log_head WHERE practice_id = $1 FOR UPDATE", practice_id)
    known: int = await db.fetchval("SELECT count(*) FROM provider WHERE practice_id = $1", practice_id)
    if known:
        return known
    for statement in _FURNITURE:
        await db.execute(statement, practice_id, providers)
    return providers


_FURNITURE = (
    """
    INSERT INTO provider (practice_id, provider_id, name, title, specialty)
    SELECT $1, number, 'Provider ' || number, 'MD', 'Dermatology' FROM generate_series(1, $2::integer) AS number
    """,
    """
    INSERT INTO working_hours (practice_id, provider_id, weekday, starts_minute, ends_minute)
    SELECT $1, number, weekday, 540, 1020
    FROM generate_series(1, $2::integer) AS number, generate_series(0, 4) AS weekday
    """,
    """
    INSERT INTO room (practice_id, room_id, name)
    SELECT $1, 100 + number, 'Room ' || 100 + number FROM generate_series(1, $2::integer) AS number
    """,
    "INSERT INTO visit_type (practice_id, visit_type) SELECT $1, unnest(ARRAY['Consult', 'FOLLOWUP']) WHERE $2 > 0",
    f"""
    INSERT INTO visit_type_provider (practice_id, visit_type, provider_id)
    SELECT $1, visit_type, number
    FROM generate_series(1, $2::integer) AS number, unnest(ARRAY['Consult', 'FOLLOWUP']) AS visit_type
    WHERE visit_type = 'FOLLOWUP' OR number <= {OF_THE_FIRST}
    """,
    f"""
    INSERT INTO visit_type_room (practice_id, visit_type, room_id)
    SELECT $1, visit_type, 100 + number
    FROM generate_series(1, $2::integer) AS number, unnest(ARRAY['Consult', 'FOLLOWUP']) AS visit_type
    WHERE visit_type = 'FOLLOWUP' OR number <= {OF_THE_FIRST}
    """,
    "INSERT INTO tag (practice_id, tag_id, tag) SELECT $1, 123, 'VIP' WHERE $2 > 0",
)


async def batches_of_patients(db: Connection, practice_id: int, batch: int) -> dict[int, int]:
    """How many people there are of each batch of so many; they are the first of it."""
    rows = await db.fetch(
        f"""
        SELECT (patient_id - {FIRST_ID}) / $2::bigint, count(*) FROM patient
        WHERE practice_id = $1 AND patient_id >= {FIRST_ID} GROUP BY 1
        """,
        practice_id,
        batch,
    )
    return {row[0]: row[1] for row in rows}


async def batches_of_visits(db: Connection, practice_id: int, batch: int) -> dict[int, int]:
    rows = await db.fetch(
        f"""
        SELECT (visit_id - {FIRST_ID}) / $2::bigint, count(*) FROM visit
        WHERE practice_id = $1 AND visit_id >= {FIRST_ID} GROUP BY 1
        """,
        practice_id,
        batch,
    )
    return {row[0]: row[1] for row in rows}


def _plain(names: Sequence[str]) -> set[str]:
    """Those that SQL's lower() folds as a search does."""
    return {name for name in names if name.isascii() and name.isalpha()}


FIRST_NAMES = sorted(_plain(NEW_YORK.female + NEW_YORK.male))
SURNAMES = sorted(_plain(NEW_YORK.surnames) - set(FIRST_NAMES))

# A number is scattered by a multiplication, so that neighbours have different names, telephones and birthdays. What a
# person is found by is what prospects/tokens.py makes of these names, telephones and addresses; a test compares.
_ADD_PATIENTS = f"""
    WITH person AS MATERIALIZED (
        SELECT {FIRST_ID} + number AS patient_id, number,
               ($4::text[])[1 + scattered % cardinality($4::text[])] AS first_name,
               ($5::text[])[1 + scattered / 997 % cardinality($5::text[])] AS last_name,
               201 + scattered / 7 % 780 || '-555-' || lpad((scattered / 1009 % 10000)::text, 4, '0') AS phone,
               $6::date - (10000 + scattered % 13000)::integer AS dob
        FROM generate_series($2::bigint, $3::bigint - 1) AS number,
             LATERAL (SELECT ((number + 1) * 2654435761 + $1 * 40503) % 4294967296 AS scattered) AS scatter
    ), made AS (
        INSERT INTO patient (practice_id, patient_id, first_name, last_name, dob, life_stage, primary_language, type,
                             phone, email, city, state, country, prospect)
        SELECT $1, patient_id, first_name, last_name, dob, 'Adult', 'English', 'Patient', phone,
               lower(last_name) || number || '@example.com', 'New York', 'NY', 'US', (number % 3 = 0)::integer
        FROM person
    )
    INSERT INTO patient_token (practice_id, token, patient_id)
    SELECT $1, token, patient_id
    FROM person, unnest(ARRAY[
        lower(first_name), lower(last_name), lower(last_name) || number, lower(last_name) || number || '@example.com',
        replace(phone, '-', ''), right(replace(phone, '-', ''), 7), right(phone, 4)
    ]) AS token ORDER BY token, patient_id
"""


async def add_patients(db: Connection, practice_id: int, first: int, end: int, today: date) -> None:
    """People number `first` to before `end`, with what they are found by."""
    await db.execute("SET LOCAL synchronous_commit = off")
    await db.execute(_ADD_PATIENTS, practice_id, first, end, FIRST_NAMES, SURNAMES, today)


# Workdays are counted from a Monday. From that of the making on they are taken in the order 0, -1, 1, -2, 2 …, so that
# more visits reach further both ways.
_ADD_VISITS = f"""
    INSERT INTO visit (practice_id, visit_id, patient_id, provider_id, room_id, needs_room, visit_type, status,
                       starts_at, ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
    SELECT $1, {FIRST_ID} + number, {FIRST_ID} + number * 7919 % $4::bigint, provider_id, 100 + provider_id, true,
           CASE WHEN provider_id <= {OF_THE_FIRST} AND number % 3 = 0 THEN 'Consult' ELSE 'FOLLOWUP' END,
           CASE WHEN ends_at > $8::timestamptz THEN CASE WHEN number % 20 = 7 THEN 'cancelled' ELSE 'booked' END
                WHEN number % 16 = 3 THEN 'noshow' ELSE 'completed' END,
           starts_at, ends_at, starts_at, ends_at, starts_at, ends_at
    FROM generate_series($2::bigint, $3::bigint - 1) AS number,
         LATERAL (SELECT number / {VISITS_OF_A_DAY} AS day_of_one) AS a,
         LATERAL (SELECT 1 + day_of_one % $5::bigint AS provider_id, day_of_one / $5::bigint AS turn,
                         (number % {VISITS_OF_A_DAY} * 5 + day_of_one * 7) % 16 AS half_hour) AS b,
         LATERAL (SELECT $9::integer + CASE WHEN turn % 2 = 0 THEN turn / 2 ELSE -(turn + 1) / 2 END AS workday) AS c,
         LATERAL (SELECT (workday % 5 + 5) % 5 AS weekday) AS d,
         LATERAL (SELECT $6::date + ((workday - weekday) / 5 * 7 + weekday)::integer AS day) AS e,
         LATERAL (SELECT (day + interval '9 hours' + half_hour * interval '30 minutes') AT TIME ZONE $7 AS starts_at,
                         (day + interval '9 hours' + (half_hour + 1) * interval '30 minutes') AT TIME ZONE $7
                             AS ends_at) AS f
"""


async def add_visits(db: Connection, practice: BigPractice, first: int, end: int, people: int, now: datetime) -> None:
    """Visits number `first` to before `end`, of the practice's first `people`."""
    weekday = practice.made_on.weekday()
    await db.execute("SET LOCAL synchronous_commit = off")
    await db.execute(
        _ADD_VISITS,
        practice.practice_id,
        first,
        end,
        people,
        practice.providers,
        practice.made_on - timedelta(days=weekday),
        practice.zone,
        now,
        min(weekday, 5),  # at a weekend the next Monday
    )
