"""The named world of the tests.

DemoOffice, BerlinOffice   two practices; nothing of one may show in the other
Jane Smith                 provider 1 of each, weekdays 9 to 17; John Brown is provider 2
rooms 101, 102             where a Consult or a FOLLOWUP takes place
Ada Lovelace               a prospect of each, patient 1001
VIP, Newsletter            tags 1 and 2
partner                    a key of this practice with every scope
newcomer                   a key of this practice with the scopes of a new key alone
revoked                    a key that was revoked
admin                      whoever holds the admin secret
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
from litestar.types import ASGIApp

from officepro.access.caller import Caller
from officepro.access.scopes import DEFAULT_SCOPES, EVERY_SCOPE
from officepro.access.tokens import Tokens
from officepro.foundation.clock import now
from officepro.foundation.secrets import fingerprint, key_id_of, make_api_key
from officepro.settings import Settings

BASE_URL = "http://officepro.test"
_numbers = itertools.count(1)


@dataclass
class House:
    """The application, its admin, and the superuser's view behind it."""

    app: ASGIApp
    owner: asyncpg.Connection
    settings: Settings
    admin: httpx.AsyncClient
    stranger: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def open(cls, app: ASGIApp, owner: asyncpg.Connection, settings: Settings) -> AsyncIterator["House"]:
        async with (
            client(app, headers={"X-Admin-Secret": settings.admin_secret}) as admin,
            client(app) as stranger,
        ):
            yield cls(app, owner, settings, admin, stranger)


@dataclass
class Office:
    """One practice and those who call it."""

    house: House
    practice_id: int
    practicepass: str
    time_zone: str
    keys: dict[str, str] = field(default_factory=dict)
    partner: httpx.AsyncClient = field(init=False)  # speaks to /v1/{PPass}/…
    newcomer: httpx.AsyncClient = field(init=False)
    partner_global: httpx.AsyncClient = field(init=False)  # speaks to /v1/…
    ada: int = 1001
    vip: int = 1
    newsletter: int = 2

    @property
    def path(self) -> str:
        return f"/v1/{self.practicepass}"

    async def token(self, who: str = "partner") -> str:
        answer = await self.house.stranger.post(f"{self.path}/auth/token", json={"apiKey": self.keys[who]})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["accessToken"])

    async def tags_of(self, patient_id: int) -> list[int]:
        rows = await self.house.owner.fetch(
            "SELECT tag_id FROM patient_tag WHERE practice_id = $1 AND patient_id = $2 ORDER BY tag_id",
            self.practice_id,
            patient_id,
        )
        return [row["tag_id"] for row in rows]

    async def log(self) -> list[dict[str, Any]]:
        """The practice's log, in order."""
        rows = await self.house.owner.fetch(
            "SELECT log_id, scope, event, entity_id, data::text FROM log WHERE practice_id = $1 ORDER BY log_id",
            self.practice_id,
        )
        return [dict(row) for row in rows]


def client(app: ASGIApp, base_url: str = BASE_URL, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=("192.0.2.1", 50_000))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers, timeout=30)


async def make_office(house: House, name: str, time_zone: str) -> Office:
    """A practice of its own for one test, with the world's people in it."""
    practicepass = f"{name}{next(_numbers)}"
    practice_id = await house.owner.fetchval(
        "INSERT INTO practice (practicepass, name, time_zone) VALUES ($1, $2, $3) RETURNING practice_id",
        practicepass,
        name,
        time_zone,
    )
    await house.owner.execute(_FURNITURE.replace(":practice", str(practice_id)))
    office = Office(house, practice_id, practicepass, time_zone)
    for who, scopes, revoked in (
        ("partner", EVERY_SCOPE, False),
        ("newcomer", DEFAULT_SCOPES, False),
        ("revoked", EVERY_SCOPE, True),
    ):
        office.keys[who] = await make_key(house, f"{who} of {practicepass}", scopes, practice_id, revoked=revoked)
    for who in ("partner", "newcomer"):
        bearer = {"Authorization": f"Bearer {await issue_token(office, who)}"}
        setattr(office, who, client(house.app, BASE_URL + office.path, bearer))
        if who == "partner":
            office.partner_global = client(house.app, BASE_URL + "/v1", bearer)
    return office


async def issue_token(office: Office, who: str = "partner", expires_at: float | None = None) -> str:
    """A token of a key without a request that would be in the log; it ends after an hour, if nothing else is said."""
    key = await office.house.owner.fetchrow(
        "SELECT api_key_id, partner_id, scopes FROM api_key WHERE api_key_id = $1", key_id_of(office.keys[who])
    )
    assert key is not None
    caller = Caller(
        key["api_key_id"],
        key["partner_id"],
        office.practice_id,
        office.practicepass,
        frozenset(key["scopes"]),
        int(expires_at or now().timestamp() + 3600),
    )
    return Tokens([(one.kid, one.secret) for one in office.house.settings.token_keys]).issue(caller, now())


async def make_key(
    house: House, company: str, scopes: frozenset[str], practice_id: int | None, *, revoked: bool = False
) -> str:
    """A key of a partner of its own."""
    key_id = await house.owner.fetchval(
        """
        WITH partner AS (INSERT INTO partner (company) VALUES ($1) RETURNING partner_id)
        INSERT INTO api_key (partner_id, practice_id, name, scopes, revoked_at, secret_sha256)
        SELECT partner_id, $2, 'key', $3, CASE WHEN $4 THEN now() END, sha256(gen_random_uuid()::text::bytea)
        FROM partner RETURNING api_key_id
        """,
        company,
        practice_id,
        sorted(scopes),
        revoked,
    )
    key = make_api_key(key_id)
    await house.owner.execute("UPDATE api_key SET secret_sha256 = $2 WHERE api_key_id = $1", key_id, fingerprint(key))
    return key


_FURNITURE = """
INSERT INTO log_head (practice_id) VALUES (:practice);
INSERT INTO practice_setup (practice_id) VALUES (:practice);
INSERT INTO provider (practice_id, provider_id, name, title, specialty) VALUES
    (:practice, 1, 'Jane Smith', 'PA-C', 'Aesthetics'), (:practice, 2, 'John Brown', 'MD', 'Dermatology');
INSERT INTO working_hours (practice_id, provider_id, weekday, starts_minute, ends_minute)
    SELECT :practice, provider_id, weekday, 540, 1020 FROM generate_series(1, 2) AS provider_id,
    generate_series(0, 4) AS weekday;
INSERT INTO room (practice_id, room_id, name) VALUES (:practice, 101, 'Room 1'), (:practice, 102, 'Room 2');
INSERT INTO visit_type (practice_id, visit_type) VALUES (:practice, 'Consult'), (:practice, 'FOLLOWUP');
INSERT INTO visit_type_provider SELECT :practice, visit_type, provider_id
    FROM unnest(ARRAY['Consult', 'FOLLOWUP']) AS visit_type, generate_series(1, 2) AS provider_id;
INSERT INTO visit_type_room SELECT :practice, visit_type, room_id
    FROM unnest(ARRAY['Consult', 'FOLLOWUP']) AS visit_type, generate_series(101, 102) AS room_id;
INSERT INTO patient (practice_id, patient_id, first_name, last_name, email, phone)
    VALUES (:practice, 1001, 'Ada', 'Lovelace', 'ada@example.com', '555-0100');
INSERT INTO patient_token (practice_id, token, patient_id)
    SELECT :practice, token, 1001 FROM unnest(ARRAY['ada', 'lovelace', 'ada@example.com', '5550100', '0100']) AS token;
INSERT INTO tag (practice_id, tag_id, tag) VALUES (:practice, 1, 'VIP'), (:practice, 2, 'Newsletter');
"""
