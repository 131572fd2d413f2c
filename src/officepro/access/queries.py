"""Queries on API keys and their partners. Run under the system role."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from officepro.foundation.database import Connection, Row


class KeyState(msgspec.Struct, frozen=True):
    """Current state of an API key."""

    key_id: int
    partner_id: int
    practice_id: int | None  # None: every practice
    scopes: frozenset[str]
    usable: bool  # neither revoked nor expired, and its partner is active
    company: str  # company and name are one line each, as the disclosure log's hash requires
    name: str
    purpose: str
    patient_budget_per_day: int | None = None  # None: the setting applies


class Credential(msgspec.Struct, frozen=True):
    """An API key as it is stored, and the practice that it is sent to."""

    state: KeyState | None  # None: no such key
    secret_sha256: bytes
    practice_id: int | None  # None: no active practice has the practicepass that was sent


UNKNOWN_KEY = Credential(None, bytes(32), None)

_STATE = """
    k.api_key_id, k.partner_id, k.practice_id, k.scopes, partner.company, k.name, k.purpose,
    k.patient_budget_per_day,
    k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND partner.active
"""


async def key_states(db: Connection, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], KeyState]:
    """Return the states by key and practice. A key is not usable in a practice that is closed or not its own. Keys that
    do not exist are left out."""
    rows = await db.fetch(
        f"""
        SELECT {_STATE} AND coalesce(k.practice_id, asked.whose) = asked.whose
               AND EXISTS (SELECT FROM practice WHERE practice.practice_id = asked.whose AND practice.active) AS usable,
               asked.whose
        FROM unnest($1::bigint[], $2::bigint[]) AS asked (key_id, whose)
        JOIN api_key k ON k.api_key_id = asked.key_id JOIN partner USING (partner_id)
        """,
        [key_id for key_id, _ in pairs],
        [practice_id for _, practice_id in pairs],
    )
    return {(row["api_key_id"], row["whose"]): _state(row) for row in rows}


async def credentials(db: Connection, asked: Sequence[tuple[int, str]]) -> list[Credential]:
    """Return what an API key is checked against, for each pair of a key id and a practicepass, in their order."""
    rows = await db.fetch(
        f"""
        SELECT asked.place, {_STATE} AS usable, k.secret_sha256, practice.practice_id AS asked_for
        FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS asked (key_id, practicepass, place)
        JOIN api_key k ON k.api_key_id = asked.key_id JOIN partner USING (partner_id)
        LEFT JOIN practice ON practice.practicepass = asked.practicepass AND practice.active
        """,
        [key_id for key_id, _ in asked],
        [practicepass for _, practicepass in asked],
    )
    found = {row["place"]: Credential(_state(row), row["secret_sha256"], row["asked_for"]) for row in rows}
    return [found.get(place, UNKNOWN_KEY) for place in range(1, len(asked) + 1)]


async def note_use(db: Connection, last_used: Mapping[int, datetime]) -> None:
    """Store when keys were last used."""
    await db.execute(
        """
        UPDATE api_key SET last_used_at = used.at FROM unnest($1::bigint[], $2::timestamptz[]) AS used (id, at)
        WHERE api_key_id = used.id AND (last_used_at IS NULL OR last_used_at < used.at)
        """,
        list(last_used),
        list(last_used.values()),
    )


async def create_key(
    db: Connection,
    *,
    partner_id: int,
    practice_id: int | None,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    purpose: str,
    patient_budget_per_day: int | None = None,
) -> int:
    """Insert a key without its secret, which contains the id; call `set_secret` in the same transaction."""
    key_id: int = await db.fetchval(
        """
        INSERT INTO api_key (partner_id, practice_id, name, scopes, expires_at, purpose, patient_budget_per_day,
                             secret_sha256)
        VALUES ($1, $2, $3, $4, $5, $6, $7, sha256(gen_random_uuid()::text::bytea)) RETURNING api_key_id
        """,
        partner_id,
        practice_id,
        name,
        sorted(scopes),
        expires_at,
        purpose,
        patient_budget_per_day,
    )
    return key_id


async def set_secret(db: Connection, key_id: int, fingerprint: bytes) -> None:
    """Store the fingerprint of a key's secret."""
    await db.execute("UPDATE api_key SET secret_sha256 = $2 WHERE api_key_id = $1", key_id, fingerprint)


def _state(row: Row) -> KeyState:
    return KeyState(
        key_id=row["api_key_id"],
        partner_id=row["partner_id"],
        practice_id=row["practice_id"],
        scopes=frozenset(row["scopes"]),
        usable=row["usable"],
        company=row["company"].replace("\n", " "),
        name=row["name"].replace("\n", " "),
        purpose=row["purpose"],
        patient_budget_per_day=row["patient_budget_per_day"],
    )
