"""Data of the capacity benchmark: thousands of practices in a separate database."""

from datetime import timedelta
from typing import Any

import psycopg

from benchmarks.world import FIRST, make_key

PROVIDERS, PATIENTS, DAYS, VISITS_A_DAY = 4, 40, 3, 4  # visits of each provider, on the first days
FIRST_FREE = FIRST + timedelta(days=7)

SEED = f"""
INSERT INTO practice (practice_id, practicepass, name, time_zone)
    SELECT p, 'P' || p, 'Practice', 'UTC' FROM generate_series(1, :practices) AS p;
INSERT INTO log_head (practice_id) SELECT practice_id FROM practice;
INSERT INTO practice_setup (practice_id) SELECT practice_id FROM practice;
INSERT INTO provider (practice_id, provider_id, name)
    SELECT practice_id, n, 'Provider ' || n FROM practice, generate_series(1, {PROVIDERS}) AS n;
INSERT INTO working_hours (practice_id, provider_id, weekday, starts_minute, ends_minute)
    SELECT practice_id, provider_id, weekday, 480, 1080 FROM provider, generate_series(0, 6) AS weekday;
INSERT INTO room (practice_id, room_id, name)
    SELECT practice_id, 100 + n, 'Room ' || n FROM practice, generate_series(1, {PROVIDERS}) AS n;
INSERT INTO visit_type (practice_id, visit_type) SELECT practice_id, 'Consult' FROM practice;
INSERT INTO visit_type_provider SELECT practice_id, 'Consult', provider_id FROM provider;
INSERT INTO visit_type_room SELECT practice_id, 'Consult', room_id FROM room;
INSERT INTO patient (practice_id, patient_id, first_name, last_name, email, phone)
    SELECT practice_id, 1000 + n, 'Ada' || n % 12, 'Lovelace' || n, 'ada' || n || '@example.com', '555-01' || n
    FROM practice, generate_series(1, {PATIENTS}) AS n;
INSERT INTO patient_token (practice_id, token, patient_id)
    SELECT practice_id, token, patient_id FROM patient, unnest(ARRAY[lower(first_name), lower(last_name), email]) token;
INSERT INTO visit (practice_id, patient_id, provider_id, room_id, needs_room, visit_type, status, starts_at, ends_at,
                   provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
    SELECT practice_id, 1001, provider_id, 100 + provider_id, true, 'Consult', 'booked', at, ends, at, ends, at, ends
    FROM generate_series(0, {DAYS - 1}) AS day, generate_series(0, {VISITS_A_DAY - 1}) AS hour, provider,
         LATERAL (SELECT (date '{FIRST}' + day + (8 + hour) * interval '1 hour') AT TIME ZONE 'UTC' AS at) AS start,
         LATERAL (SELECT at + interval '30 minutes' AS ends) AS stop;
"""


def seed(url: str, practices: int, hook_urls: list[str], sealed: str) -> str:
    """Insert the practices; return an API key for all of them. Each webhook subscription gets another key."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SEED.replace(":practices", str(practices)))
        key = make_key(connection, None)
        for hook_url in hook_urls:
            connection.execute(
                """
                INSERT INTO webhook_subscription (api_key_id, practice_id, hook_url, scopes, secret)
                SELECT api_key_id, NULL, %s, ARRAY['Patients', 'Encounters'], %s FROM api_key WHERE api_key_id = %s
                """,
                (hook_url, sealed, int(make_key(connection, None).split("_")[1])),
            )
        connection.execute("VACUUM ANALYZE")
    return key


def clear(connection: "psycopg.Connection[Any]") -> None:
    """Delete the bookings of an earlier run, whose times are booked again."""
    booked = "SELECT practice_id, visit_id FROM visit WHERE starts_at >= %s"
    connection.execute(f"DELETE FROM visit_history WHERE (practice_id, visit_id) IN ({booked})", (FIRST_FREE,))
    connection.execute("DELETE FROM visit WHERE starts_at >= %s", (FIRST_FREE,))
