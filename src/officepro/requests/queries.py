"""Queries for access requests. Run under the system role."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import Conflict, NotFound, Unavailable
from officepro.foundation.paging import MAXIMUM_TOTAL, Page

MAXIMUM_PENDING = 10_000  # pending access requests; further requests are refused


class UnknownAccessRequest(NotFound):
    """There is no such access request; GET /v1/admin/access-requests lists them."""

    code = "unknown_access_request"


class AccessRequestDecided(Conflict):
    """This access request has already been approved or denied; see its status."""

    code = "access_request_decided"


class AccessRequestsFull(Unavailable):
    """Too many access requests are pending. Your request was not saved: retry later, or contact the practice."""

    code = "access_requests_full"

    @property
    def headers(self) -> Mapping[str, str]:
        """Return Retry-After: one hour."""
        return {"Retry-After": "3600"}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """An access request as sent by an unauthenticated client."""

    company: str
    practice: str
    contact: str
    email: str
    scopes: Sequence[str]
    purpose: str


_COLUMNS = """
    access_request_id, company, practice, contact, email, scopes, purpose, times_asked, status, reason, partner_id,
    api_key_id, created_at, last_asked_at, decided_at
"""


async def ask(db: Connection, wish: Wish) -> None:
    """Insert an access request. A request for the same practice with the same e-mail as a pending one only increments
    its `times_asked` and changes nothing else, since e-mail addresses are not verified.

    Raises AccessRequestsFull, for a repeated request too, so that the response does not disclose existing requests.
    """
    is_saved = await db.fetchval(
        """
        INSERT INTO access_request AS open (company, practice, contact, email, scopes, purpose)
        SELECT $1, $2, $3, $4, $5, $6
        WHERE (SELECT count(*) FROM access_request WHERE status = 'pending') < $7
        ON CONFLICT (lower(email), lower(practice)) WHERE status = 'pending'
        DO UPDATE SET times_asked = open.times_asked + 1, last_asked_at = excluded.last_asked_at
        RETURNING true
        """,
        wish.company,
        wish.practice,
        wish.contact,
        wish.email,
        sorted(set(wish.scopes)),
        wish.purpose,
        MAXIMUM_PENDING,
    )
    if not is_saved:
        raise AccessRequestsFull


async def some(db: Connection, status: str | None, page: Page) -> tuple[list[Row], int]:
    """Return one page, newest first, and the total number."""
    total: int = await db.fetchval(
        f"""
        SELECT count(*) FROM (SELECT FROM access_request WHERE status = coalesce($1, status) LIMIT {MAXIMUM_TOTAL})
        AS counted
        """,
        status,
    )
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS} FROM access_request WHERE status = coalesce($1, status)
        ORDER BY access_request_id DESC LIMIT $2 OFFSET $3
        """,
        status,
        page.limit,
        page.offset,
    )
    return rows, total


async def undecided(db: Connection, request_id: int) -> Row:
    """Return a pending request, locked until the transaction ends. Raises UnknownAccessRequest and
    AccessRequestDecided."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM access_request WHERE access_request_id = $1 FOR UPDATE", request_id
    )
    if row is None:
        raise UnknownAccessRequest
    if row["status"] != "pending":
        raise AccessRequestDecided(
            f"This access request has already been {row['status']}.", requestStatus=row["status"]
        )
    return row


async def create_partner(db: Connection, company: str, contact: str, email: str) -> int:
    """Insert a partner; return its id."""
    partner_id: int = await db.fetchval(
        "INSERT INTO partner (company, contact, email) VALUES ($1, $2, $3) RETURNING partner_id",
        company,
        contact,
        email,
    )
    return partner_id


async def approved(db: Connection, request_id: int, partner_id: int, key_id: int, decided_at: datetime) -> None:
    """Mark the request as approved, with the partner and key created."""
    await db.execute(
        """
        UPDATE access_request SET status = 'approved', partner_id = $2, api_key_id = $3, decided_at = $4
        WHERE access_request_id = $1
        """,
        request_id,
        partner_id,
        key_id,
        decided_at,
    )


async def denied(db: Connection, request_id: int, reason: str, decided_at: datetime) -> Row:
    """Mark the request as denied, with the reason; return it."""
    row = await db.fetchrow(
        f"""
        UPDATE access_request SET status = 'denied', reason = $2, decided_at = $3 WHERE access_request_id = $1
        RETURNING {_COLUMNS}
        """,
        request_id,
        reason,
        decided_at,
    )
    assert row is not None
    return row
