"""Requests for access in the database. Under the system role."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import Conflict, NotFound, Unavailable
from officepro.foundation.paging import MAXIMUM_TOTAL, Page

MAXIMUM_PENDING = 10_000  # access requests that wait for a decision; beyond it new ones are refused


class UnknownAccessRequest(NotFound):
    """There is no such access request; GET /v1/admin/access-requests lists them."""

    code = "unknown_access_request"


class AccessRequestDecided(Conflict):
    """The access request was approved or denied before; its status says which."""

    code = "access_request_decided"


class AccessRequestsFull(Unavailable):
    """Too many access requests wait for a decision. Your request was not saved: send it again later, or write to the
    practice."""

    code = "access_requests_full"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": "3600"}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a stranger asks for."""

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
    """Who asks for the same practice by the same e-mail while the first request is open joins that, and changes
    nothing in it: anybody can write anybody's address.

    Raises AccessRequestsFull, also for an open request, so that the answer does not tell who has asked."""
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
    """A page, the newest first, and how many there are in all."""
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
    """Locked until the transaction ends. Raises UnknownAccessRequest, AccessRequestDecided."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM access_request WHERE access_request_id = $1 FOR UPDATE", request_id
    )
    if row is None:
        raise UnknownAccessRequest
    if row["status"] != "pending":
        raise AccessRequestDecided(
            f"The access request was {row['status']} before; nothing was done.", requestStatus=row["status"]
        )
    return row


async def create_partner(db: Connection, company: str, contact: str, email: str) -> int:
    partner_id: int = await db.fetchval(
        "INSERT INTO partner (company, contact, email) VALUES ($1, $2, $3) RETURNING partner_id",
        company,
        contact,
        email,
    )
    return partner_id


async def approved(db: Connection, request_id: int, partner_id: int, key_id: int, decided_at: datetime) -> None:
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
