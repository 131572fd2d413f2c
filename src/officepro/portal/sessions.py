"""Who is signed in to the portal: sessions are kept on the server, the browser holds a random name of one.

A session ends after 15 minutes without a call, and after 8 hours in any case; a partner's also ends with the key that
opened it.
"""

import secrets
from datetime import timedelta

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.secrets import fingerprint

IDLE = timedelta(minutes=15)
LONGEST = timedelta(hours=8)
SEEN_EVERY = timedelta(seconds=30)  # how exactly the last call is written down


class Visitor(msgspec.Struct, frozen=True):
    """Somebody who is signed in."""

    session: bytes  # the fingerprint of the session's name
    csrf_token: str
    api_key_id: int | None  # None: the admin
    partner_id: int | None = None
    company: str | None = None
    key_name: str | None = None
    practice_id: int | None = None  # None: every practice
    practicepass: str | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def is_admin(self) -> bool:
        return self.api_key_id is None

    @property
    def name(self) -> str:
        return "admin" if self.is_admin else f"{self.company} · {self.key_name}"


async def start(db: Connection, api_key_id: int | None) -> str:
    """The name of a new session, which is shown to nobody but the browser."""
    name = secrets.token_urlsafe(32)
    await db.execute(
        "INSERT INTO portal_session (session_sha256, api_key_id, csrf_token) VALUES ($1, $2, $3)",
        fingerprint(name),
        api_key_id,
        secrets.token_urlsafe(24),
    )
    return name


async def find(db: Connection, name: str) -> Visitor | None:
    """None when there is no such session, or not any more."""
    row = await db.fetchrow(
        """
        WITH seen AS (
            UPDATE portal_session SET last_seen_at = now()
            WHERE session_sha256 = $1 AND last_seen_at > now() - $2::interval AND created_at > now() - $3::interval
              AND last_seen_at < now() - $4::interval
        )
        SELECT s.session_sha256, s.csrf_token, s.api_key_id, k.partner_id, p.company, k.name, k.practice_id,
               practice.practicepass, k.scopes
        FROM portal_session s LEFT JOIN api_key k USING (api_key_id) LEFT JOIN partner p USING (partner_id)
             LEFT JOIN practice ON practice.practice_id = k.practice_id
        WHERE s.session_sha256 = $1 AND s.last_seen_at > now() - $2::interval AND s.created_at > now() - $3::interval
          AND (s.api_key_id IS NULL OR k.revoked_at IS NULL AND p.active
               AND (k.expires_at IS NULL OR k.expires_at > now()))
        """,
        fingerprint(name),
        IDLE,
        LONGEST,
        SEEN_EVERY,
    )
    return None if row is None else _visitor(row)


async def end(db: Connection, session: bytes) -> None:
    await db.execute("DELETE FROM portal_session WHERE session_sha256 = $1", session)


async def forget_ended(db: Connection) -> None:
    await db.execute(
        "DELETE FROM portal_session WHERE last_seen_at < now() - $1::interval OR created_at < now() - $2::interval",
        IDLE,
        LONGEST,
    )


def _visitor(row: Row) -> Visitor:
    session, csrf_token, api_key_id, partner_id, company, name, practice_id, practicepass, scopes = row.values()
    return Visitor(
        session, csrf_token, api_key_id, partner_id, company, name, practice_id, practicepass, frozenset(scopes or ())
    )
