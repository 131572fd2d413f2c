"""Portal sessions: stored on the server; the browser's cookie is a random session name.

A session ends after 15 minutes without a page request, and after 8 hours in any case. A partner's session also ends
with its key, partner or practice; an admin's session ends when the admin secret that was entered is removed: the row
has an HMAC of the session's name, keyed with that secret, which workers compare with the secrets in use. The HMAC does
not help to guess the secret: the name is random and not in the database.
"""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import timedelta

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.secrets import fingerprint
from officepro.portal import csrf

IDLE = timedelta(minutes=15)
LONGEST = timedelta(hours=8)
SEEN_EVERY = timedelta(seconds=30)  # precision of the stored last request


class Visitor(msgspec.Struct, frozen=True):
    """The signed-in partner or admin of a request."""

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
        """Whether the session is the admin's."""
        return self.api_key_id is None

    @property
    def name(self) -> str:
        """Name to display."""
        return "admin" if self.is_admin else f"{self.company} · {self.key_name}"


async def start(db: Connection, api_key_id: int | None, entered: str) -> str:
    """Insert a session and return its name, which is sent only to the browser. `entered` is the key or secret."""
    name = csrf.new_secret()
    await db.execute(
        """
        INSERT INTO portal_session (session_sha256, api_key_id, csrf_token, admin_secret_hmac) VALUES ($1, $2, $3, $4)
        """,
        fingerprint(name),
        api_key_id,
        csrf.token_of(name),
        admin_secret_hmac(entered, name) if api_key_id is None else None,
    )
    return name


async def find(db: Connection, name: str, admin_secrets: Iterable[str], *, renews: bool = True) -> Visitor | None:
    """Return the visitor of a session, or None if there is no such session or it has ended.

    `renews` is false for requests of scripts, which do not extend the session.
    """
    row = await db.fetchrow(
        """
        WITH seen AS (
            UPDATE portal_session SET last_seen_at = now()
            WHERE $5 AND session_sha256 = $1 AND last_seen_at > now() - $2::interval
              AND created_at > now() - $3::interval AND last_seen_at < now() - $4::interval
        )
        SELECT s.admin_secret_hmac, s.session_sha256, s.csrf_token, s.api_key_id, k.partner_id, p.company, k.name,
               k.practice_id, practice.practicepass, k.scopes
        FROM portal_session s LEFT JOIN api_key k USING (api_key_id) LEFT JOIN partner p USING (partner_id)
             LEFT JOIN practice ON practice.practice_id = k.practice_id
        WHERE s.session_sha256 = $1 AND s.last_seen_at > now() - $2::interval AND s.created_at > now() - $3::interval
          AND (s.api_key_id IS NULL OR k.revoked_at IS NULL AND p.active AND practice.active IS NOT FALSE
               AND (k.expires_at IS NULL OR k.expires_at > now()))
        """,
        fingerprint(name),
        IDLE,
        LONGEST,
        SEEN_EVERY,
        renews,
    )
    if row is None or (row["api_key_id"] is None and not _is_of_one(row["admin_secret_hmac"], name, admin_secrets)):
        return None
    return _visitor(row)


def admin_secret_hmac(secret: str, name: str) -> bytes:
    """Return the HMAC of a session's name, keyed with the admin secret."""
    return hmac.digest(secret.encode(), b"portal session: " + name.encode(), hashlib.sha256)


def _is_of_one(stored: bytes | None, name: str, admin_secrets: Iterable[str]) -> bool:
    """Whether the HMAC is of one of the secrets. It is None for sessions of an earlier version: they end."""
    return stored is not None and any(
        hmac.compare_digest(stored, admin_secret_hmac(secret, name)) for secret in admin_secrets
    )


async def end(db: Connection, session: bytes) -> None:
    """Delete a session."""
    await db.execute("DELETE FROM portal_session WHERE session_sha256 = $1", session)


async def end_named(db: Connection, name: str) -> None:
    """Delete a session by the name in the browser's cookie."""
    await end(db, fingerprint(name))


async def end_all(db: Connection, api_key_id: int | None) -> None:
    """Delete every session of this key; None is the admin."""
    await db.execute("DELETE FROM portal_session WHERE api_key_id IS NOT DISTINCT FROM $1", api_key_id)


async def forget_ended(db: Connection) -> None:
    """Delete expired sessions."""
    await db.execute(
        "DELETE FROM portal_session WHERE last_seen_at < now() - $1::interval OR created_at < now() - $2::interval",
        IDLE,
        LONGEST,
    )


def _visitor(row: Row) -> Visitor:
    _, session, csrf_token, api_key_id, partner_id, company, name, practice_id, practicepass, scopes = row.values()
    return Visitor(
        session, csrf_token, api_key_id, partner_id, company, name, practice_id, practicepass, frozenset(scopes or ())
    )
