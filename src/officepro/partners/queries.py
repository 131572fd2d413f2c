"""Queries for partners. Run under the system role: partners belong to no practice."""

from datetime import datetime
from typing import Any

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import NotFound
from officepro.foundation.etags import StaleVersion
from officepro.foundation.paging import MAXIMUM_TOTAL, Page


class UnknownPartner(NotFound):
    """There is no such partner; GET /v1/admin/partners lists them."""

    code = "unknown_partner"


class NewPartner(msgspec.Struct, frozen=True, kw_only=True):
    """A partner to create."""

    company: str
    contact: str
    email: str
    phone: str = ""
    website: str = ""
    active: bool = True


class Partner(NewPartner, frozen=True, kw_only=True):
    """A partner as stored."""

    partner_id: int
    version: int
    created_at: datetime
    updated_at: datetime


_COLUMNS = "partner_id, company, contact, email, phone, website, active, version, created_at, updated_at"


async def partners(db: Connection, page: Page) -> tuple[list[Partner], int]:
    """Return one page by company, and the total number of partners."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM partner ORDER BY lower(company), partner_id LIMIT $1 OFFSET $2",
        page.limit,
        page.offset,
    )
    total: int = await db.fetchval("SELECT count(*) FROM (SELECT FROM partner LIMIT $1) AS counted", MAXIMUM_TOTAL)
    return [_partner(row) for row in rows], total


async def partner(db: Connection, partner_id: int) -> Partner:
    """Return one partner. Raises UnknownPartner."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM partner WHERE partner_id = $1", partner_id)
    if row is None:
        raise UnknownPartner
    return _partner(row)


async def create(db: Connection, new: NewPartner) -> Partner:
    """Insert a partner."""
    row = await db.fetchrow(
        f"""
        INSERT INTO partner (company, contact, email, phone, website, active)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_COLUMNS}
        """,
        *msgspec.structs.astuple(new),
    )
    assert row is not None
    return _partner(row)


async def change(db: Connection, partner_id: int, changes: dict[str, Any], version: int | None = None) -> Partner:
    """Change a partner. `changes` uses the field names of NewPartner; `version` is the version that the client expects.

    Raises UnknownPartner, StaleVersion.
    """
    row = await db.fetchrow(
        f"""
        UPDATE partner SET
            company = coalesce($3, company), contact = coalesce($4, contact), email = coalesce($5, email),
            phone = coalesce($6, phone), website = coalesce($7, website), active = coalesce($8, active),
            version = version + 1, updated_at = now()
        WHERE partner_id = $1 AND version = coalesce($2, version) RETURNING {_COLUMNS}
        """,
        partner_id,
        version,
        *(changes.get(field) for field in NewPartner.__struct_fields__),
    )
    if row is None:
        raise StaleVersion((await partner(db, partner_id)).version)
    return _partner(row)


def _partner(row: Row) -> Partner:
    return Partner(**dict(row))
