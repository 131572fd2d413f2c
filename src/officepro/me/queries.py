"""Queries for the caller's partner and API key. Run under the system role, the only one with access to these tables."""

from collections.abc import Mapping
from typing import Any

from officepro.foundation.database import Connection, Row
from officepro.foundation.etags import StaleVersion

# Identifies recipients of disclosures: changes need an administrator's approval. (docs/decisions/0019)
APPROVED_FIELDS = ("company", "email")


async def partner_and_key(db: Connection, partner_id: int, key_id: int) -> Row:
    """Return the partner with the key and the pending change."""
    row = await db.fetchrow(
        """
        SELECT partner.partner_id, partner.company, contact, partner.email, phone, website, partner.created_at,
               partner.updated_at, partner.version, key.api_key_id, key.name, practicepass, key.scopes, key.expires_at,
               key.last_used_at, key.created_at AS key_created_at, pending.partner_change_id,
               pending.company AS pending_company, pending.email AS pending_email, pending.requested_at
        FROM partner JOIN api_key key USING (partner_id) LEFT JOIN practice USING (practice_id)
        LEFT JOIN partner_change pending ON pending.partner_id = partner.partner_id AND pending.status = 'pending'
        WHERE partner.partner_id = $1 AND key.api_key_id = $2
        """,
        partner_id,
        key_id,
    )
    assert row is not None  # authentication has just read the key; rows are never deleted
    return row


async def change(db: Connection, partner_id: int, key_id: int, columns: Mapping[str, str], version: int | None) -> bool:
    """Update the partner and request approval where needed; return whether a change of any of `columns` is pending.

    Raises StaleVersion.
    """
    current = await db.fetchrow(
        "SELECT version, company, email FROM partner WHERE partner_id = $1 FOR UPDATE", partner_id
    )
    assert current is not None
    if version not in (None, current["version"]):
        raise StaleVersion(current["version"])
    if not columns:
        return False
    await update(db, partner_id, {name: value for name, value in columns.items() if name not in APPROVED_FIELDS})
    requested = {name: columns[name] for name in APPROVED_FIELDS if name in columns}
    return bool(requested) and await _request(db, partner_id, key_id, current, requested)


async def update(db: Connection, partner_id: int, columns: Mapping[str, str]) -> None:
    """Update the columns and increment the version, also without columns."""
    changes = [f"{name} = ${number}" for number, name in enumerate(columns, 2)]
    await db.execute(
        f"""
        UPDATE partner SET {", ".join([*changes, "version = version + 1", "updated_at = now()"])} WHERE partner_id = $1
        """,
        partner_id,
        *columns.values(),
    )


async def _request(db: Connection, partner_id: int, key_id: int, current: Row, requested: Mapping[str, str]) -> bool:
    """Replace the pending change by one that includes the requested values, under a new number, so that an
    administrator approves only values they have read. Requesting the present value withdraws the change."""
    pending = await db.fetchrow(
        "DELETE FROM partner_change WHERE partner_id = $1 AND status = 'pending' RETURNING company, email", partner_id
    )
    before: dict[str, Any] = dict(pending or {})
    wanted = {name: requested.get(name, before.get(name)) for name in APPROVED_FIELDS}
    wanted = {name: None if value == current[name] else value for name, value in wanted.items()}
    if any(value is not None for value in wanted.values()):
        await db.execute(
            "INSERT INTO partner_change (partner_id, api_key_id, company, email) VALUES ($1, $2, $3, $4)",
            partner_id,
            key_id,
            *wanted.values(),
        )
    return any(wanted[name] is not None for name in requested)
