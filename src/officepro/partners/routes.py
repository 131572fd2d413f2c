"""Admin routes for partners. (API.md: Admin endpoints)"""

import msgspec
from litestar import Response, Router, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET

from officepro.access.asked import TheDatabase, TheOnce
from officepro.access.guards import requires_admin
from officepro.foundation.answers import One, Paged, Written
from officepro.foundation.documented import ETAG, documented
from officepro.foundation.etags import etag, version_of
from officepro.foundation.paging import DEFAULT_LIMIT, Page, paged
from officepro.foundation.parameters import IfMatch, PageLimit, PageNumber, PathId
from officepro.partners import queries
from officepro.partners.queries import UnknownPartner
from officepro.partners.shapes import ChangePartner, NewPartner, Partner

_COMPANY = {
    "company": "Booking Site",
    "contact": "Anna Miller",
    "email": "anna@booking.example",
    "phone": "+1 555 0100",
    "website": "https://booking.example",
}
_PARTNER = {
    "partnerId": 3,
    **_COMPANY,
    "active": True,
    "createdAt": "2026-03-02T14:00:00.000Z",
    "updatedAt": "2026-03-02T14:00:00.000Z",
}


@get(
    "/",
    summary="List partners",
    opt=documented(example_response={"data": [_PARTNER], "count": 1, "page": 1, "limit": 25, "total": 1}),
)
async def list_partners(
    database: TheDatabase, page: PageNumber = 1, limit: PageLimit = DEFAULT_LIMIT
) -> Paged[Partner]:
    """All partners, by company."""
    asked = Page(page, limit)
    async with database.system() as db:
        found, total = await queries.partners(db, asked)
    return paged([Partner.of(one) for one in found], asked, total)


@post(
    "/",
    summary="Create a partner",
    status_code=201,
    opt=documented(
        example_request=_COMPANY,
        example_response={"message": "Partner created successfully", "data": _PARTNER},
        answer_headers=ETAG,
    ),
)
async def create_partner(data: JSONBody[NewPartner], once: TheOnce) -> Response[Written[Partner]]:
    """The partner needs an API key to call the API: POST /v1/admin/keys."""
    new = queries.NewPartner(**msgspec.structs.asdict(data))
    async with once.system_transaction() as db:
        partner = await queries.create(db, new)
        answer = await once.settled(
            db, Written("Partner created successfully", Partner.of(partner)), version=partner.version
        )
    return Response(answer, headers=etag(partner.version))


@get(
    "/{partner_id:str}",
    summary="Get a partner",
    opt=documented(
        path_example={"id": 3}, example_response={"data": _PARTNER}, errors=[UnknownPartner], answer_headers=ETAG
    ),
)
async def get_partner(partner_id: PathId, database: TheDatabase) -> Response[One[Partner]]:
    """Returns one partner. Use GET /v1/admin/keys?partnerId= to list its API keys."""
    async with database.system() as db:
        partner = await queries.partner(db, partner_id)
    return Response(One(Partner.of(partner)), headers=etag(partner.version))


@patch(
    "/{partner_id:str}",
    summary="Update a partner",
    opt=documented(
        path_example={"id": 3},
        example_request={"contact": "Anna Miller"},
        example_response={"message": "Partner updated successfully", "data": _PARTNER},
        errors=[UnknownPartner],
    ),
)
async def change_partner(
    partner_id: PathId, data: JSONBody[ChangePartner], database: TheDatabase, if_match: IfMatch = None
) -> Response[Written[Partner]]:
    """Keys and tokens of an inactive partner stop working within 5 seconds."""
    changes = {field: value for field, value in msgspec.structs.asdict(data).items() if value is not UNSET}
    async with database.system_transaction() as db:
        partner = await queries.change(db, partner_id, changes, version_of(if_match))
    return Response(Written("Partner updated successfully", Partner.of(partner)), headers=etag(partner.version))


router = Router(
    "/v1/admin/partners",
    guards=[requires_admin],
    route_handlers=[list_partners, create_partner, get_partner, change_partner],
    tags=["Administration"],
)
