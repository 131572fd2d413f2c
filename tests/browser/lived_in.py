"""What a house has that is lived in: weeks of calls, keys of every kind, requests, a partner whose webhooks fail."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg

from officepro.foundation import embedded
from tests.journeys.conftest import RunningHouse

# Few: from one address there may be ten an hour, and the tests ask as well.
REQUESTS: list[dict[str, Any]] = [
    {
        "company": "CallPilot AI",
        "practice": "DemoOffice",
        "contact": "Sam Rivera",
        "email": "sam@callpilot.example",
        "scopes": ["Providers", "Scheduling", "Prospects"],
        "purpose": "Our receptionist answers the phone after hours and books visits.",
    },
    {
        "company": "Lumen Skincare",
        "practice": "BerlinOffice",
        "contact": "Ines Vogt",
        "email": "ines@lumen.example",
        "scopes": ["ProductPro.Products"],
        "purpose": "We keep our price list in step.",
    },
]

# Each call costs a share of the load: (method, endpoint, share, usual milliseconds).
CALLS = (
    ("GET", "/v1/{PPass}/availability/providers/{id}/slots", 34, 2.6),
    ("GET", "/v1/{PPass}/prospects", 21, 3.4),
    ("GET", "/v1/{PPass}/availability/providers/{id}/next-slot", 14, 4.1),
    ("POST", "/v1/{PPass}/visits/book", 9, 7.8),
    ("POST", "/v1/{PPass}/prospects", 8, 5.2),
    ("GET", "/v1/products", 6, 3.9),
    ("PUT", "/v1/{PPass}/prospects/{id}", 5, 5.9),
    ("POST", "/v1/{PPass}/auth/token", 3, 1.8),
)

OLDER_KEYS = """
UPDATE api_key SET created_at = now() - interval '200 days', last_used_at = now() - interval '120 days'
    WHERE name = 'Night line';
UPDATE api_key SET created_at = now() - interval '200 days', expires_at = now() - interval '3 days'
    WHERE name = 'Pilot of last winter'
"""

WEEKS = """
WITH called AS MATERIALIZED (
    SELECT * FROM unnest(%(happened_at)s::timestamptz[], %(method)s::text[], %(endpoint)s::text[],
                         %(status)s::smallint[], %(duration)s::integer[], %(key)s::bigint[], %(address)s::text[])
                  AS row (happened_at, method, endpoint, status, duration_microseconds, api_key_id, address)
         JOIN api_key USING (api_key_id)
), logged AS (
    INSERT INTO request_log (happened_at, method, endpoint, status, duration_microseconds, partner_id, api_key_id,
                             practice_id, address, request_id)
    SELECT happened_at, method, endpoint, status, duration_microseconds, partner_id, api_key_id, practice_id, address,
           md5(random()::text) FROM called
), summed AS (
    INSERT INTO request_day SELECT (happened_at AT TIME ZONE 'UTC')::date, coalesce(practice_id, 0), partner_id,
        api_key_id, method, endpoint, 40 * count(*), 40 * count(*) FILTER (WHERE status BETWEEN 400 AND 499),
        count(*) FILTER (WHERE status >= 500), 40 * sum(duration_microseconds) FROM called GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT DO NOTHING
)
INSERT INTO request_day_duration SELECT (happened_at AT TIME ZONE 'UTC')::date, coalesce(practice_id, 0), partner_id,
    api_key_id, floor(4 * ln(duration_microseconds::float8) / ln(2::float8)), 40 * count(*)
FROM called GROUP BY 1, 2, 3, 4, 5 ON CONFLICT DO NOTHING
"""

EVERYBODY = """
INSERT INTO request_day
    SELECT day, -1, -1, -1, method, endpoint, sum(calls), sum(caller_errors), sum(own_errors),
           sum(duration_microseconds) FROM request_day WHERE practice_id >= 0 GROUP BY day, method, endpoint
    ON CONFLICT ON CONSTRAINT request_day_key DO UPDATE SET calls = excluded.calls,
        caller_errors = excluded.caller_errors, own_errors = excluded.own_errors,
        duration_microseconds = excluded.duration_microseconds;
INSERT INTO request_day_duration
    SELECT day, -1, -1, -1, bucket, sum(calls) FROM request_day_duration WHERE practice_id >= 0 GROUP BY day, bucket
    ON CONFLICT ON CONSTRAINT request_day_duration_key DO UPDATE SET calls = excluded.calls
"""


def live_in(house: RunningHouse) -> None:
    admin = httpx.Client(base_url=f"{house.base}/v1", headers={"X-Admin-Secret": house.demo["adminSecret"]}, timeout=30)
    with admin, house.client() as partner:
        _ask_for_access(admin)
        keys = _make_keys(admin)
        _fail_to_deliver(admin, partner)
        _read_records(partner)
    server = embedded.running(house.data_dir)
    assert server is not None
    with psycopg.connect(server.url("officepro"), autocommit=True) as db:
        db.execute(OLDER_KEYS)
        _write_weeks(db, keys)


def _ask_for_access(admin: httpx.Client) -> None:
    for wish in REQUESTS:
        assert admin.post("/access-requests", json=wish).status_code == 202


def _make_keys(admin: httpx.Client) -> list[int]:
    """The keys that weeks of calls were made with."""
    partners = {one["company"]: one["partnerId"] for one in admin.get("/admin/partners").json()["data"]}
    wanted = (
        ("Bright Booking", "DemoOffice", "Booking site", ["Prospects", "Providers", "Scheduling"]),
        ("Bright Booking", "BerlinOffice", "Buchungsseite", ["Prospects", "Providers", "Scheduling"]),
        ("Harbor Call Center", "DemoOffice", "Night line", ["Prospects", "Providers", "Tags"]),
        ("Harbor Call Center", "DemoOffice", "Pilot of last winter", ["Prospects"]),
        ("Harbor Call Center", "DemoOffice", "Left in a notebook", ["Tickets"]),
    )
    made = []
    for company, practice, name, scopes in wanted:
        body = {"partnerId": partners[company], "practicepass": practice, "name": name, "scopes": scopes}
        answer = admin.post("/admin/keys", json=body)
        assert answer.status_code == 201, answer.text
        made.append(int(answer.json()["data"]["keyId"]))
    assert admin.post(f"/admin/keys/{made[-1]}/revoke").is_success
    return made[:3]


def _fail_to_deliver(admin: httpx.Client, partner: httpx.Client) -> None:
    """Nobody listens where this partner wants its events."""
    hook = {"hookUrl": "http://127.0.0.1:1025/events", "scopes": ["Patients", "Encounters"]}
    answer = partner.post(str(partner.base_url).replace("/DemoOffice/", "/webhooks/signup"), json=hook)
    assert answer.is_success, answer.text


def _read_records(partner: httpx.Client) -> None:
    first = partner.get("prospects", params={"limit": 3}).json()["data"]
    for one in first:
        assert partner.get(f"prospects/{one['PatientID']}").status_code == 200
    partner.get("prospects/999999")


def _write_weeks(db: "psycopg.Connection[Any]", keys: list[int]) -> None:
    chance = random.Random(7)
    now = datetime.now(UTC)
    rows = []
    for days in range(14):
        busy = 0.25 if (now - timedelta(days=days)).weekday() >= 5 else 1.0
        for _ in range(int(busy * chance.randint(130, 190) * (1 - days / 40))):
            method, endpoint, _, usual = chance.choices(CALLS, [share for _, _, share, _ in CALLS])[0]
            success = 201 if method == "POST" and "auth" not in endpoint else 200
            status = chance.choices([success, 404 if method == "GET" else 409, 429, 500], [960, 33, 5, 2])[0]
            moment = now.replace(hour=0, minute=0, second=0) - timedelta(days=days, seconds=-chance.uniform(1, 86_000))
            if moment < now:
                key = chance.choices(keys, [6, 2, 1])[0]
                microseconds = int(1000 * usual * chance.lognormvariate(0, 0.4))
                rows.append((moment, method, endpoint, status, microseconds, key, f"198.51.100.{chance.randint(2, 9)}"))
    names = ("happened_at", "method", "endpoint", "status", "duration", "key", "address")
    db.execute(WEEKS, dict(zip(names, (list(column) for column in zip(*rows, strict=True)), strict=True)))
    db.execute(EVERYBODY)
