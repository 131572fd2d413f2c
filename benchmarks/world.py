"""Data of the benchmarks: practices with providers, rooms, patients and half-booked days, in a separate database."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from benchmarks.wrk import Call
from officepro.access.scopes import EVERY_SCOPE
from officepro.foundation.secrets import fingerprint, make_api_key

PRACTICES, PROVIDERS, PATIENTS = 20, 5, 1000
FULL_DAYS, FREE_DAYS = 30, 365  # of each provider: half booked, and empty
FIRST = datetime.now(UTC).date() + timedelta(days=7)
FIRST_FREE = FIRST + timedelta(days=FULL_DAYS)
OPENS, CLOSES = 8, 18  # UTC, without daylight-saving changes
WAL_FILES = 64  # of 16 MB
NAMES = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Tony", "Leslie", "Radia", "Ken", "Margaret", "John"]

SEED = f"""
INSERT INTO practice (practice_id, practicepass, name, time_zone)
    SELECT p, 'Bench' || p, 'Bench', 'UTC' FROM generate_series(1, {PRACTICES}) AS p;
INSERT INTO log_head (practice_id) SELECT practice_id FROM practice;
INSERT INTO practice_setup (practice_id) SELECT practice_id FROM practice;
INSERT INTO provider (practice_id, provider_id, name)
    SELECT practice_id, n, 'Provider ' || n FROM practice, generate_series(1, {PROVIDERS}) AS n;
INSERT INTO working_hours (practice_id, provider_id, weekday, starts_minute, ends_minute)
    SELECT practice_id, provider_id, weekday, {OPENS * 60}, {CLOSES * 60}
    FROM provider, generate_series(0, 6) AS weekday;
INSERT INTO room (practice_id, room_id, name)
    SELECT practice_id, 100 + n, 'Room ' || n FROM practice, generate_series(1, {PROVIDERS}) AS n;
INSERT INTO visit_type (practice_id, visit_type) SELECT practice_id, 'Consult' FROM practice;
INSERT INTO visit_type_provider SELECT practice_id, 'Consult', provider_id FROM provider;
INSERT INTO visit_type_room SELECT practice_id, 'Consult', room_id FROM room;
INSERT INTO patient (practice_id, patient_id, first_name, last_name, email)
    SELECT practice_id, 1000 + n, (ARRAY{NAMES})[1 + n % {len(NAMES)}], 'Name' || n, 'name' || n || '@example.com'
    FROM practice, generate_series(1, {PATIENTS}) AS n;
INSERT INTO patient_token (practice_id, token, patient_id)
    SELECT practice_id, token, patient_id
    FROM patient, unnest(ARRAY[lower(first_name), lower(last_name), email]) AS token;
INSERT INTO visit (practice_id, patient_id, provider_id, room_id, needs_room, visit_type, status, starts_at, ends_at,
                   provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
    SELECT practice_id, 1001, provider_id, 100 + provider_id, true, 'Consult', 'booked', at, ends, at, ends, at, ends
    FROM provider, generate_series(0, {FULL_DAYS - 1}) AS day, generate_series({OPENS}, {CLOSES - 1}) AS hour,
         LATERAL (SELECT (date '{FIRST}' + day + hour * interval '1 hour') AT TIME ZONE 'UTC' AS at) AS start,
         LATERAL (SELECT at + interval '30 minutes' AS ends) AS stop;
CREATE SEQUENCE bench_seq;
"""


@dataclass
class World:
    """Access tokens of all practices, and the calls to them."""

    tokens: dict[int, str]  # by practice

    def headers(self, practice: int) -> dict[str, str]:
        """Return the headers of a practice's requests."""
        return {"Authorization": f"Bearer {self.tokens[practice]}", "Content-Type": "application/json"}

    def slots(self, count: int) -> Iterator[Call]:
        """Yield requests for a provider's free slots of one day."""
        for practice, provider, day, _ in self._places(count):
            path = f"/v1/Bench{practice}/availability/providers/{provider}/slots?date={day}&duration=30"
            yield Call("GET", path, self.headers(practice))

    def slots_asked_once(self, count: int) -> Iterator[Call]:
        """Yield availability requests without duplicates, so that the cache has no effect."""
        questions = [
            (practice, provider, FIRST + timedelta(days=day), duration)
            for practice in range(1, PRACTICES + 1)
            for provider in range(1, PROVIDERS + 1)
            for day in range(FULL_DAYS)
            for duration in range(1, 61)
        ]
        random.Random(1).shuffle(questions)
        for practice, provider, day, duration in questions[:count]:
            path = f"/v1/Bench{practice}/availability/providers/{provider}/slots?date={day}&duration={duration}"
            yield Call("GET", path, self.headers(practice))

    def check(self, count: int) -> Iterator[Call]:
        """Yield checks of one time."""
        for practice, provider, day, hour in self._places(count):
            path = (
                f"/v1/Bench{practice}/availability/providers/{provider}/check?date={day}&time={hour:02}:30&duration=30"
            )
            yield Call("GET", path, self.headers(practice))

    def slots_with_room(self, count: int) -> Iterator[Call]:
        """Yield slots requests for a visit type that needs a room."""
        for call in self.slots(count):
            yield Call(call.method, call.path + "&visitType=Consult", call.headers)

    def openings(self, count: int) -> Iterator[Call]:
        """Yield requests for 30 days of all providers."""
        for practice, _, _, _ in self._places(count):
            path = f"/v1/Bench{practice}/availability/slots?visitType=Consult&startDate={FIRST}"
            yield Call("GET", f"{path}&endDate={FIRST + timedelta(days=29)}", self.headers(practice))

    def next_slot(self, count: int) -> Iterator[Call]:
        """Yield requests for a provider's next free slot."""
        for practice, provider, _, _ in self._places(count):
            path = f"/v1/Bench{practice}/availability/providers/{provider}/next-slot?duration=45&fromDate={FIRST}"
            yield Call("GET", path, self.headers(practice))

    def search(self, count: int) -> Iterator[Call]:
        """Yield searches by first name."""
        for practice, provider, _, _ in self._places(count):
            path = f"/v1/Bench{practice}/prospects?search={NAMES[provider]}&limit=25"
            yield Call("GET", path, self.headers(practice))

    def book(self, count: int) -> Iterator[Call]:
        """Yield bookings of free, distinct times, each once."""
        free = [
            (day, hour, half, provider, practice)
            for day in range(FREE_DAYS)
            for hour in range(OPENS, CLOSES)
            for half in (0, 30)
            for provider in range(1, PROVIDERS + 1)
            for practice in range(1, PRACTICES + 1)
        ]
        for day, hour, half, provider, practice in free[:count]:
            body = {
                "PatientID": 1001,
                "ProviderID": provider,
                "VisitType": "Consult",
                "VisitDate": (FIRST_FREE + timedelta(days=day)).isoformat(),
                "VisitTime": f"{hour:02}:{half:02}:00",
                "VisitDuration": 30,
            }
            yield Call("POST", f"/v1/Bench{practice}/visits/book", self.headers(practice), json.dumps(body))

    def create(self, count: int) -> Iterator[Call]:
        """Yield requests that create a prospect."""
        for number in range(count):
            practice = 1 + number % PRACTICES
            body = {"FirstName": "Grace", "LastName": f"Hopper{number}", "EMail": f"grace{number}@example.com"}
            yield Call("POST", f"/v1/Bench{practice}/prospects", self.headers(practice), json.dumps(body))

    @staticmethod
    def _places(count: int) -> Iterator[tuple[int, int, date, int]]:
        chance = random.Random(1)
        for _ in range(count):
            day = FIRST + timedelta(days=chance.randrange(FULL_DAYS))
            yield chance.randint(1, PRACTICES), chance.randint(1, PROVIDERS), day, chance.randrange(OPENS, CLOSES)


def seed(url: str) -> dict[int, str]:
    """Insert the data; return an API key for each practice."""
    keys = {}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SEED)
        for practice in range(1, PRACTICES + 1):
            keys[practice] = make_key(connection, practice)
        connection.execute("VACUUM ANALYZE")
    return keys


def settle(url: str) -> None:
    """Create WAL files for reuse, as on a server that has run for a while. A server that must create new ones, 16 MB of
    zeros each, delays every commit meanwhile."""
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(WAL_FILES):
            connection.execute("SELECT pg_logical_emit_message(false, '', repeat('x', 15 * 1024 * 1024))")
        connection.execute("CHECKPOINT")


def make_key(connection: "psycopg.Connection[Any]", practice: int | None) -> str:
    """Create a partner and return its API key with every scope, for one practice, or for all if None."""
    row = connection.execute(
        """
        WITH partner AS (INSERT INTO partner (company) VALUES ('Bench') RETURNING partner_id)
        INSERT INTO api_key (partner_id, practice_id, name, scopes, secret_sha256)
        SELECT partner_id, %s::bigint, 'key', %s, sha256(gen_random_uuid()::text::bytea) FROM partner
        RETURNING api_key_id
        """,
        (practice, sorted(EVERY_SCOPE)),
    ).fetchone()
    assert row is not None
    key = make_api_key(row[0])
    keep = "UPDATE api_key SET secret_sha256 = %s WHERE api_key_id = %s"
    connection.execute(keep, (fingerprint(key), row[0]))
    return key
