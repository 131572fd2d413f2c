"""Admin routes for changes of company and e-mail requested with PATCH /v1/me: list, approve, deny."""

from typing import Annotated

from litestar import Router, get, post
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase, TheOnce
from officepro.access.guards import requires_admin
from officepro.foundation.answers import Paged, Written
from officepro.foundation.database import Row
from officepro.foundation.documented import documented
from officepro.foundation.paging import DEFAULT_LIMIT, Page, paged
from officepro.foundation.parameters import PageLimit, PageNumber, PathId
from officepro.partners import change_queries
from officepro.partners.change_queries import PartnerChangeDecided, PartnerChangeNotFound, Status
from officepro.partners.shapes import PartnerChange

OfStatus = Annotated[Status | None, QueryParameter(name="status", description="Filter by status.")]

_PENDING = {
    "changeId": 4,
    "partnerId": 3,
    "presentCompany": "Booking Site",
    "presentEmail": "anna@booking.example",
    "company": "Booking Site Ltd",
    "email": None,
    "keyId": 12,
    "status": "pending",
    "requestedAt": "2026-03-09T14:15:00.000Z",
    "decidedAt": None,
}
_DECIDED = {**_PENDING, "presentCompany": "Booking Site Ltd", "decidedAt": "2026-03-09T15:00:00.000Z"}


@get(
    "/",
    summary="List partner changes",
    opt=documented(
        query_example={"status": "pending"},
        example_response={"data": [_PENDING], "count": 1, "page": 1, "limit": 25, "total": 1},
    ),
)
async def list_partner_changes(
    database: TheDatabase, status: OfStatus = None, page: PageNumber = 1, limit: PageLimit = DEFAULT_LIMIT
) -> Paged[PartnerChange]:
    """Newest first. `company` and `email` are null if unchanged."""
    asked = Page(page, limit)
    async with database.system() as db:
        rows, total = await change_queries.some(db, status, asked)
    return paged([_change(row) for row in rows], asked, total)


@post(
    "/{change_id:str}/approve",
    summary="Approve a partner change",
    status_code=200,
    opt=documented(
        path_example={"id": 4},
        example_response={
            "message": "Partner change approved successfully",
            "data": {**_DECIDED, "status": "approved"},
        },
        errors=[PartnerChangeNotFound, PartnerChangeDecided],
    ),
)
async def approve_partner_change(change_id: PathId, once: TheOnce) -> Written[PartnerChange]:
    """The new company or e-mail applies immediately. Disclosures recorded earlier keep the former values."""
    async with once.system_transaction() as db:
        row = await change_queries.approve(db, change_id)
        return await once.settled(db, Written("Partner change approved successfully", _change(row)), status=200)


@post(
    "/{change_id:str}/deny",
    summary="Deny a partner change",
    status_code=200,
    opt=documented(
        path_example={"id": 4},
        example_response={
            "message": "Partner change denied successfully",
            "data": {**_DECIDED, "presentCompany": "Booking Site", "status": "denied"},
        },
        errors=[PartnerChangeNotFound, PartnerChangeDecided],
    ),
)
async def deny_partner_change(change_id: PathId, once: TheOnce) -> Written[PartnerChange]:
    """The partner is unchanged."""
    async with once.system_transaction() as db:
        row = await change_queries.deny(db, change_id)
        return await once.settled(db, Written("Partner change denied successfully", _change(row)), status=200)


def _change(row: Row) -> PartnerChange:
    return PartnerChange(*row.values())


router = Router(
    "/v1/admin/partner-changes",
    guards=[requires_admin],
    route_handlers=[list_partner_changes, approve_partner_change, deny_partner_change],
    tags=["Administration"],
)
