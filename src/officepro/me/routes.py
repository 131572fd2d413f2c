"""Routes for my information: get, update. (source API specification: My Information)"""

from litestar import Response, Router, get, patch
from litestar.params import JSONBody
from msgspec import UNSET

from officepro.access.asked import TheCaller, TheDatabase, TheSettings
from officepro.access.guards import any_partner
from officepro.foundation.answers import One, Written
from officepro.foundation.database import Row
from officepro.foundation.documented import ETAG, documented
from officepro.foundation.etags import etag, version_of
from officepro.foundation.parameters import IfMatch
from officepro.me import queries
from officepro.me.shapes import ChangeMe, Limits, Me, MyKey, PendingChanges
from officepro.settings import Settings

REQUESTED = "Profile updated; company and email change after approval by an administrator"
_EXAMPLE = {
    "partnerId": 1,
    "company": "Example Company",
    "contact": "Jo Doe",
    "email": "api@example.com",
    "phone": "555-0123",
    "website": "https://partner.example.com",
    "createdAt": "2026-03-02T14:00:00.000Z",
    "updatedAt": "2026-03-09T14:15:00.000Z",
    "pendingChanges": None,
    "key": {
        "keyId": 1,
        "name": "Booking site",
        "practicepass": "DemoOffice",
        "scopes": ["Prospects", "Scheduling", "Tags"],
        "expiresAt": None,
        "lastUsedAt": "2026-03-09T14:14:58.000Z",
        "createdAt": "2026-03-02T14:00:00.000Z",
        "limits": {"requestsPerMinute": 600},
    },
}


@get("/", summary="Get your partner profile", opt=documented(example_response={"data": _EXAMPLE}, answer_headers=ETAG))
async def get_me(caller: TheCaller, database: TheDatabase, settings: TheSettings) -> Response[One[Me]]:
    """Includes the API key of the call: its practice (null: all practices), scopes, expiry, last use and rate limits.
    `lastUsedAt` lags by a few seconds."""
    async with database.system() as db:
        row = await queries.partner_and_key(db, caller.partner_id, caller.key_id)
    return Response(One(_me(row, settings)), headers=etag(row["version"]))


@patch(
    "/",
    summary="Update your partner profile",
    opt=documented(
        example_request={"contact": "Jo Doe", "phone": "555-0123"},
        example_response={"message": "Profile updated successfully", "data": _EXAMPLE},
        further_answers={202: "Accepted: the change of `company` or `email` waits for approval by an administrator"},
    ),
)
async def change_me(
    data: JSONBody[ChangeMe],
    caller: TheCaller,
    database: TheDatabase,
    settings: TheSettings,
    if_match: IfMatch = None,
) -> Response[Written[Me]]:
    """Changes the fields that are sent; omitted fields are unchanged. `contact`, `phone` and `website` change
    immediately. `company` and `email` identify you in the practices' disclosure logs, so their changes need an
    administrator's approval: the response is 202 with `pendingChanges`. A new change replaces the pending one; sending
    the present value withdraws it. Only administrators can change names, practices, scopes and purposes of keys."""
    async with database.system_transaction() as db:
        is_pending = await queries.change(db, caller.partner_id, caller.key_id, data.columns(), version_of(if_match))
        row = await queries.partner_and_key(db, caller.partner_id, caller.key_id)
    return Response(
        Written(REQUESTED if is_pending else "Profile updated successfully", _me(row, settings)),
        status_code=202 if is_pending else 200,
        headers=etag(row["version"]),
    )


def _me(row: Row, settings: Settings) -> Me:
    key = MyKey(
        row["api_key_id"],
        row["name"],
        row["practicepass"],
        sorted(row["scopes"]),
        row["expires_at"],
        row["last_used_at"],
        row["key_created_at"],
        Limits(settings.rate_limit_per_minute or None),
    )
    return Me(
        row["partner_id"],
        row["company"],
        row["contact"],
        row["email"],
        row["phone"],
        row["website"],
        row["created_at"],
        row["updated_at"],
        _pending(row),
        key,
    )


def _pending(row: Row) -> PendingChanges | None:
    if row["partner_change_id"] is None:
        return None
    company, email = row["pending_company"], row["pending_email"]
    return PendingChanges(
        row["partner_change_id"],
        row["requested_at"],
        UNSET if company is None else company,
        UNSET if email is None else email,
    )


router = Router("/v1/me", guards=[any_partner], route_handlers=[get_me, change_me], tags=["My Information"])
