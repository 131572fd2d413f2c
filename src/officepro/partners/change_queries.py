"""Queries for changes of company and e-mail requested by partners. Run under the system role."""

from typing import Literal

from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import Conflict, NotFound
from officepro.foundation.paging import MAXIMUM_TOTAL, Page

Status = Literal["pending", "approved", "denied"]


class PartnerChangeNotFound(NotFound):
    """This change does not exist, or the partner has withdrawn or replaced it. GET /v1/admin/partner-changes lists
    pending changes."""

    code = "partner_change_not_found"


class PartnerChangeDecided(Conflict):
    """This change has already been approved or denied; see its status."""

    code = "partner_change_decided"


_SELECT = """
    SELECT change.partner_change_id, change.partner_id, partner.company AS present_company,
           partner.email AS present_email, change.company, change.email, change.api_key_id, change.status,
           change.requested_at, change.decided_at
    FROM partner_change change JOIN partner USING (partner_id)
"""


async def some(db: Connection, status: Status | None, page: Page) -> tuple[list[Row], int]:
    """Return one page, newest first, and the total number."""
    rows = await db.fetch(
        f"""
        {_SELECT} WHERE $1::text IS NULL OR change.status = $1
        ORDER BY change.partner_change_id DESC LIMIT $2 OFFSET $3
        """,
        status,
        page.limit,
        page.offset,
    )
    total: int = await db.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM partner_change WHERE $1::text IS NULL OR status = $1 LIMIT $2) AS counted
        """,
        status,
        MAXIMUM_TOTAL,
    )
    return rows, total


async def approve(db: Connection, change_id: int) -> Row:
    """Apply the change to the partner, within a transaction. Raises PartnerChangeNotFound, PartnerChangeDecided."""
    change = await _decide(db, change_id, "approved")
    await db.execute(
        """
        UPDATE partner SET company = coalesce($2, company), email = coalesce($3, email), version = version + 1,
                           updated_at = now()
        WHERE partner_id = $1
        """,
        change["partner_id"],
        change["company"],
        change["email"],
    )
    return await _one(db, change_id)


async def deny(db: Connection, change_id: int) -> Row:
    """Deny the change; company and e-mail are unchanged. Raises PartnerChangeNotFound, PartnerChangeDecided."""
    change = await _decide(db, change_id, "denied")
    # The response of GET /v1/me has changed, and so must its ETag.
    await db.execute("UPDATE partner SET version = version + 1 WHERE partner_id = $1", change["partner_id"])
    return await _one(db, change_id)


async def _decide(db: Connection, change_id: int, status: Status) -> Row:
    change = await db.fetchrow(
        """
        UPDATE partner_change SET status = $2, decided_at = now() WHERE partner_change_id = $1 AND status = 'pending'
        RETURNING partner_id, company, email
        """,
        change_id,
        status,
    )
    if change is None:
        decided = await _one(db, change_id)
        raise PartnerChangeDecided(f"This change has already been {decided['status']}.")
    return change


async def _one(db: Connection, change_id: int) -> Row:
    row = await db.fetchrow(f"{_SELECT} WHERE change.partner_change_id = $1", change_id)
    if row is None:
        raise PartnerChangeNotFound
    return row
