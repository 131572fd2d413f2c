"""Admin routes for API keys. (API.md: Keys, tokens, scopes; Admin endpoints)"""

from typing import Annotated

import msgspec
from litestar import Router, get, patch, post
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET

from officepro.access import keys
from officepro.access.asked import TheDatabase, TheOnce
from officepro.access.guards import requires_admin
from officepro.access.keys import ImpossibleKey, KeyAlreadyRotated, KeyNotActive, Status, UnknownKey
from officepro.foundation.answers import Paged, Written
from officepro.foundation.clock import now
from officepro.foundation.documented import documented
from officepro.foundation.paging import DEFAULT_LIMIT, Page, paged
from officepro.foundation.parameters import PageLimit, PageNumber, PathId
from officepro.foundation.wire import MAXIMUM_ID, NO_NUL
from officepro.partners.shapes import ChangeKey, IssuedKey, Key, NewKey, RotateKey

OfPartner = Annotated[
    int | None, QueryParameter(name="partnerId", ge=1, le=MAXIMUM_ID, description="Filter by partner.")
]
InPractice = Annotated[
    str | None,
    QueryParameter(
        name="practicepass",
        max_length=64,
        pattern=NO_NUL,
        description="Only keys valid in this practice, including keys for all practices.",
    ),
]
OfStatus = Annotated[Status | None, QueryParameter(name="status", description="Filter by status.")]

_NEW = {
    "partnerId": 3,
    "practicepass": "DemoOffice",
    "name": "Booking site",
    "scopes": ["Providers", "Scheduling"],
    "purpose": "treatment",
    "patientBudgetPerDay": None,
}
_KEY = {
    "keyId": 12,
    "partnerId": 3,
    "company": "Booking Site",
    "practicepass": "DemoOffice",
    "name": "Booking site",
    "scopes": ["Providers", "Scheduling"],
    "purpose": "treatment",
    "patientBudgetPerDay": None,
    "status": "active",
    "expiresAt": None,
    "revokedAt": None,
    "replacedBy": None,
    "lastUsedAt": "2026-03-09T14:15:00.000Z",
    "createdAt": "2026-03-02T14:00:00.000Z",
}
_ISSUED = {
    "keyId": 12,
    "apiKey": "opk_12_0123456789ABCDEFGHIJKLMNOPQRSTUV_0WXYZa",
    **_NEW,
    "status": "active",
    "expiresAt": None,
    "createdAt": "2026-03-02T14:00:00.000Z",
}


@get(
    "/",
    summary="List API keys",
    opt=documented(example_response={"data": [_KEY], "count": 1, "page": 1, "limit": 25, "total": 1}),
)
async def list_keys(
    database: TheDatabase,
    partner_id: OfPartner = None,
    practicepass: InPractice = None,
    status: OfStatus = None,
    page: PageNumber = 1,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Paged[Key]:
    """Newest first, without secrets. `lastUsedAt` is accurate to a few seconds."""
    asked = Page(page, limit)
    async with database.system() as db:
        found, total = await keys.keys(db, asked, partner_id=partner_id, practicepass=practicepass, status=status)
    return paged([Key.of(one) for one in found], asked, total)


@post(
    "/",
    summary="Create an API key",
    status_code=201,
    opt=documented(
        example_request=_NEW,
        example_response={"message": "Key created successfully", "data": _ISSUED},
        errors=[ImpossibleKey],
    ),
)
async def create_key(data: JSONBody[NewKey], once: TheOnce) -> Written[IssuedKey]:
    """`apiKey` is returned only in this response. Default scopes are Prospects and Tags."""
    async with once.system_transaction() as db:
        issued = await keys.issue(db, keys.NewKey(**msgspec.structs.asdict(data)), now())
        answer = Written("Key created successfully", IssuedKey.of(issued))
        await once.settled(db, _without_secret(answer))
    return answer


@patch(
    "/{key_id:str}",
    summary="Update an API key",
    opt=documented(
        path_example={"id": 17},
        example_request={"purpose": "treatment", "patientBudgetPerDay": None},
        example_response={"message": "Key updated successfully", "data": _KEY},
        errors=[UnknownKey],
    ),
)
async def change_key(key_id: PathId, data: JSONBody[ChangeKey], database: TheDatabase) -> Written[Key]:
    """Takes effect within 5 seconds. Disclosures recorded earlier keep their purpose."""
    async with database.system_transaction() as db:
        if data.purpose is not UNSET:
            await keys.set_purpose(db, key_id, data.purpose)
        if data.patient_budget_per_day is not UNSET:
            await keys.set_patient_budget(db, key_id, data.patient_budget_per_day)
        changed = await keys.key(db, key_id)
    return Written("Key updated successfully", Key.of(changed))


@post(
    "/{key_id:str}/revoke",
    summary="Revoke an API key",
    status_code=200,
    opt=documented(
        path_example={"id": 12},
        example_response={"message": "Key revoked successfully", "data": {**_KEY, "status": "revoked"}},
        errors=[UnknownKey],
    ),
)
async def revoke_key(key_id: PathId, once: TheOnce) -> Written[Key]:
    """The key and its tokens stop working within 5 seconds, permanently. Revoking a revoked key changes nothing."""
    async with once.system_transaction() as db:
        revoked = await keys.revoke(db, key_id)
        return await once.settled(db, Written("Key revoked successfully", Key.of(revoked)), 200)


@post(
    "/{key_id:str}/rotate",
    summary="Rotate an API key",
    status_code=201,
    opt=documented(
        path_example={"id": 11},
        example_request={"graceSeconds": 86400},
        example_response={
            "message": "Key rotated successfully",
            "data": {**_ISSUED, "replaces": {"keyId": 11, "expiresAt": "2026-03-03T14:00:00.000Z"}},
        },
        errors=[UnknownKey, KeyNotActive, KeyAlreadyRotated],
    ),
)
async def rotate_key(key_id: PathId, data: JSONBody[RotateKey], once: TheOnce) -> Written[IssuedKey]:
    """Creates a key with the same partner, practice, name, scopes, purpose and expiry. The old key works until the
    grace period ends."""
    async with once.system_transaction() as db:
        issued, old = await keys.rotate(db, key_id, data.grace_seconds)
        answer = Written("Key rotated successfully", IssuedKey.of(issued, old))
        await once.settled(db, _without_secret(answer))
    return answer


def _without_secret(answer: Written[IssuedKey]) -> Written[IssuedKey]:
    """Return the response as stored for retries: secrets are never stored."""
    return Written(answer.message, msgspec.structs.replace(answer.data, api_key=None))


router = Router(
    "/v1/admin/keys",
    guards=[requires_admin],
    route_handlers=[list_keys, create_key, change_key, revoke_key, rotate_key],
    tags=["Administration"],
)
