"""Routes for access requests: created without authentication, decided by an admin."""

from typing import Annotated

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET

from officepro.access.asked import TheDatabase, TheGate, TheOnce
from officepro.access.gate import Gate
from officepro.access.guards import address_of, is_open, requires_admin
from officepro.access.keys import ImpossibleKey
from officepro.access.limits import Limit, Standing, network_of
from officepro.foundation import clock
from officepro.foundation.answers import Paged, Written
from officepro.foundation.database import Connection, Row
from officepro.foundation.documented import documented
from officepro.foundation.errors import TooManyRequests
from officepro.foundation.input import AnyRequest
from officepro.foundation.paging import DEFAULT_LIMIT, Page, paged
from officepro.foundation.parameters import PageLimit, PageNumber, PathId
from officepro.requests import deciding, queries
from officepro.requests.deciding import Terms
from officepro.requests.queries import AccessRequestDecided, AccessRequestsFull, UnknownAccessRequest, Wish
from officepro.requests.shapes import AccessRequest, Approve, Approved, Asked, AskForAccess, Deny, Status

MAXIMUM_BODY_BYTES = 16 * 1024
REQUESTS_PER_HOUR = Limit("access requests", 10, window_seconds=3600.0)

OfStatus = Annotated[Status | None, QueryParameter(name="status", description="Filter by status.")]


class TooManyAccessRequests(TooManyRequests):
    """Too many access requests from this network address. Retry after the seconds given in Retry-After."""

    code = "too_many_access_requests"


_WISH = {
    "company": "Example Company",
    "practice": "DemoOffice",
    "contact": "Jo Doe",
    "email": "jo@example.com",
    "scopes": ["Prospects", "Scheduling"],
    "purpose": "Online booking for our patients.",
}
_OPEN = {
    "id": 1,
    **_WISH,
    "timesAsked": 1,
    "status": "pending",
    "reason": None,
    "partnerId": None,
    "keyId": None,
    "createdAt": "2026-03-09T14:15:00.000Z",
    "lastAskedAt": "2026-03-09T14:15:00.000Z",
    "decidedAt": None,
}


@post(
    "/",
    summary="Request access",
    status_code=202,
    request_max_body_size=MAXIMUM_BODY_BYTES,
    opt=documented(
        example_request=_WISH,
        example_response={"message": "Access requested successfully", "data": {"status": "received"}},
        errors=[TooManyAccessRequests, AccessRequestsFull],
    ),
)
async def ask_for_access(
    data: JSONBody[AskForAccess], once: TheOnce, gate: TheGate, request: AnyRequest
) -> Written[Asked]:
    """An admin of the practice decides. The response is the same whether or not the company, practice or e-mail exists.
    While 10,000 requests are pending, new requests are refused."""
    address = address_of(request.scope)
    refuse_beyond_limit(gate.look(REQUESTS_PER_HOUR, network_of(address)))
    async with once.system_transaction() as db:
        await save(db, Wish(**msgspec.structs.asdict(data)), gate, address)
        return await once.settled(db, Written("Access requested successfully", Asked()), status=202)


async def save(db: Connection, wish: Wish, gate: Gate, address: str) -> None:
    """Count a request against the rate limit and insert it. Raises AccessRequestsFull, TooManyAccessRequests.

    It is counted here, within the transaction, so that attempts during a database outage and retries by Idempotency-Key
    do not count against the address's limit.
    """
    refuse_beyond_limit(gate.spend(REQUESTS_PER_HOUR, network_of(address)))
    await queries.ask(db, wish)


def refuse_beyond_limit(standing: Standing) -> None:
    """Raise TooManyAccessRequests if the rate limit is exceeded."""
    if not standing.allowed:
        raise TooManyAccessRequests(retry_after_seconds=standing.retry_after_seconds)


@get(
    "/",
    summary="List access requests",
    opt=documented(
        query_example={"status": "pending"},
        example_response={"data": [_OPEN], "count": 1, "page": 1, "limit": 25, "total": 1},
    ),
)
async def list_access_requests(
    database: TheDatabase, status: OfStatus = None, page: PageNumber = 1, limit: PageLimit = DEFAULT_LIMIT
) -> Paged[AccessRequest]:
    """Newest first."""
    async with database.system() as db:
        rows, total = await queries.some(db, status, Page(page, limit))
    return paged([_request(row) for row in rows], Page(page, limit), total)


@post(
    "/{request_id:str}/approve",
    summary="Approve an access request",
    opt=documented(
        path_example={"id": 1},
        example_request={"scopes": ["Scheduling"], "practicepass": "DemoOffice"},
        example_response={
            "message": "Access request approved successfully",
            "data": {
                "id": 1,
                "status": "approved",
                "partnerId": 7,
                "keyId": 9,
                "apiKey": "opk_9_…",
                "name": "Example Company",
                "practicepass": "DemoOffice",
                "scopes": ["Scheduling"],
                "expiresAt": None,
            },
        },
        errors=[UnknownAccessRequest, AccessRequestDecided, ImpossibleKey],
    ),
)
async def approve_access_request(request_id: PathId, data: JSONBody[Approve], once: TheOnce) -> Written[Approved]:
    """Creates the partner and its API key. The key is returned only in this response: send it over a secure channel.
    Scopes can only be narrowed. `practicepass` is required if the requested practice does not exist under that name."""
    terms = Terms(
        scopes=None if data.scopes is UNSET else data.scopes,
        practicepass=None if data.practicepass is UNSET else data.practicepass,
        every_practice=data.practicepass is None,
        expires_at=data.expires_at,
        name=None if data.name is UNSET else data.name,
    )
    async with once.system_transaction() as db:
        approved = Approved.of(request_id, await deciding.approve(db, request_id, terms, clock.now()))
        answer = Written("Access request approved successfully", approved)
        await once.settled(db, Written(answer.message, msgspec.structs.replace(approved, api_key=None)))
    return answer


@post(
    "/{request_id:str}/deny",
    summary="Deny an access request",
    status_code=200,
    opt=documented(
        path_example={"id": 1},
        example_request={"reason": "Not a partner of the practice."},
        example_response={
            "message": "Access request denied successfully",
            "data": {
                **_OPEN,
                "status": "denied",
                "reason": "Not a partner of the practice.",
                "decidedAt": "2026-03-09T15:00:00.000Z",
            },
        },
        errors=[UnknownAccessRequest, AccessRequestDecided],
    ),
)
async def deny_access_request(request_id: PathId, data: JSONBody[Deny], once: TheOnce) -> Written[AccessRequest]:
    """The reason is stored for the practice; no notification is sent."""
    async with once.system_transaction() as db:
        row = await deciding.deny(db, request_id, data.reason, clock.now())
        return await once.settled(db, Written("Access request denied successfully", _request(row)), status=200)


def _request(row: Row) -> AccessRequest:
    return AccessRequest(*row.values())


router = Router(
    "/v1/access-requests",
    guards=[is_open("clients have no API key yet")],
    route_handlers=[ask_for_access],
    tags=["Authentication"],
)

administration = Router(
    "/v1/admin/access-requests",
    guards=[requires_admin],
    route_handlers=[list_access_requests, approve_access_request, deny_access_request],
    tags=["Administration"],
)
