"""Request and response bodies of a partner's own information. (source API specification: My Information)"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.wire import E_MAIL_OR_EMPTY, NO_NUL, WEB_ADDRESS_OR_EMPTY, Name, Text200

Phone = Annotated[str, Meta(max_length=40, pattern=NO_NUL, examples=["555-0123"])]
EMail = Annotated[str, Meta(max_length=254, pattern=E_MAIL_OR_EMPTY, examples=["api@example.com"])]
Website = Annotated[str, Meta(max_length=500, pattern=WEB_ADDRESS_OR_EMPTY, examples=["https://partner.example.com"])]


class ChangeMe(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Fields of a partner that it can change. Omitted fields are unchanged; an empty text clears a field. `company` and
    `email` change after approval by an administrator."""

    company: Name | UnsetType = UNSET
    contact: Text200 | UnsetType = UNSET
    email: EMail | UnsetType = UNSET
    phone: Phone | UnsetType = UNSET
    website: Website | UnsetType = UNSET

    def columns(self) -> dict[str, Any]:
        """Return the columns that were sent."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}


class Limits(msgspec.Struct, rename="camel"):
    """Rate limits of the key; null means unlimited."""

    requests_per_minute: int | None


class MyKey(msgspec.Struct, rename="camel"):
    """The API key of the call. `practicepass` is null if it is valid for all practices; `expiresAt` is null if it does
    not expire."""

    key_id: int
    name: str
    practicepass: str | None
    scopes: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    limits: Limits


class PendingChanges(msgspec.Struct, rename="camel", omit_defaults=True):
    """Requested changes that wait for approval by an administrator; omitted fields have no pending change."""

    change_id: int
    requested_at: datetime
    company: str | UnsetType = UNSET
    email: str | UnsetType = UNSET


class Me(msgspec.Struct, rename="camel"):
    """The partner and the API key of the call. `pendingChanges` is null if there are none."""

    partner_id: int
    company: str
    contact: str
    email: str
    phone: str
    website: str
    created_at: datetime
    updated_at: datetime
    pending_changes: PendingChanges | None
    key: MyKey
