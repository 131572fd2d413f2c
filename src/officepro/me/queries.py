"""A partner's own row, and that of the key it calls with. Under the system role, which alone sees partners and keys."""

from collections.abc import Mapping

from officepro.foundation.database import Connection, Row
from officepro.foundation.etags import StaleVersion


async def partner_and_key(db: Connection, partner_id: int, key_id: int) -> Row:
    row = await db.fetchrow(
        """
        SELECT partner.partner_id, company, contact, email, phone, website, partner.created_at, partner.updated_at,
               partner.version, key.api_key_id, key.name, practicepass, key.scopes, key.expires_at, key.last_used_at,
               key.created_at AS key_created_at
        FROM partner JOIN api_key key USING (partner_id) LEFT JOIN practice USING (practice_id)
        WHERE partner.partner_id = $1 AND key.api_key_id = $2
        """,
        partner_id,
        key_id,
    )
    assert row is not None  # the gate has just met the key, and neither is ever deleted
    return row


async def change(db: Connection, partner_id: int, columns: Mapping[str, str], version: int | None) -> None:
    """Raises StaleVersion."""
    current: int = await db.fetchval("SELECT version FROM partner WHERE partner_id = $1 FOR UPDATE", partner_id)
    if version not in (None, current):
        raise StaleVersion(current)
    if not columns:
        return
    changes = [f"{name} = ${number}" for number, name in enumerate(columns, 2)]
    await db.execute(
        f"""
        UPDATE partner SET {", ".join(changes)}, version = version + 1, updated_at = now() WHERE partner_id = $1
        """,
        partner_id,
        *columns.values(),
    )
