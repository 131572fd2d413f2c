"""Request and response bodies of access requests. (API.md: Partner endpoints, Admin endpoints)"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.access.keys import Issued
from officepro.access.scopes import EVERY_SCOPE
from officepro.foundation.wire import E_MAIL, SOME_TEXT, Label, Moment, Name, Text2000

EMail = Annotated[
    str,
    Meta(min_length=1, max_length=254, pattern=E_MAIL, examples=["jo@example.com"]),
]
# All scopes, spelled out for the type checker; a test compares them with access/scopes.py.
Scope = Literal[
    "Prospects",
    "Tags",
    "Providers",
    "Scheduling",
    "ProductPro.Products",
    "KB",
    "Tickets",
    "Patients",
    "Encounters",
    "Claims",
    "Payments",
    "Documents",
]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=len(EVERY_SCOPE))]
Status = Literal["pending", "approved", "denied"]


class AskForAccess(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An application for an API key for a practice."""

    company: Name
    practice: Name
    contact: Name
    email: EMail
    scopes: Scopes
    purpose: Text2000 = ""


class Asked(msgspec.Struct):
    """The request was saved; an admin of the practice will decide."""

    status: Literal["received"] = "received"


class AccessRequest(msgspec.Struct, rename="camel"):
    """An access request as listed for admins. `timesAsked` counts requests, including repeats while it was pending."""

    id: int
    company: str
    practice: str
    contact: str
    email: str
    scopes: list[str]
    purpose: str
    times_asked: int
    status: Status
    reason: str | None
    partner_id: int | None
    key_id: int | None
    created_at: datetime
    last_asked_at: datetime
    decided_at: datetime | None


class Approve(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Terms of the API key. `scopes`: a subset of those requested; default: all. `practicepass`: default: the one
    requested; null: all practices."""

    scopes: Scopes | UnsetType = UNSET
    practicepass: Label | UnsetType | None = UNSET
    expires_at: Moment | None = None
    name: Name | UnsetType = UNSET


class Approved(msgspec.Struct, rename="camel"):
    """The new partner and its API key. `apiKey` is shown once; a retry with the same Idempotency-Key returns null."""

    id: int
    status: Status
    partner_id: int
    key_id: int
    api_key: str | None
    name: str
    practicepass: str | None
    scopes: list[str]
    expires_at: datetime | None

    @classmethod
    def of(cls, request_id: int, issued: Issued) -> "Approved":
        """Return the response body of an approval."""
        key = issued.key
        return cls(
            request_id,
            "approved",
            key.partner_id,
            key.key_id,
            issued.secret,
            key.name,
            key.practicepass,
            sorted(key.scopes),
            key.expires_at,
        )


class Deny(msgspec.Struct, forbid_unknown_fields=True):
    """The reason for the denial."""

    reason: Annotated[str, Meta(min_length=1, max_length=2000, pattern=SOME_TEXT)]
