"""A partner's own information on the wire. (seeds: My Information)"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.wire import E_MAIL_OR_EMPTY, NO_NUL, WEB_ADDRESS_OR_EMPTY, Name, Text200

Phone = Annotated[str, Meta(max_length=40, pattern=NO_NUL, examples=["555-0123"])]
EMail = Annotated[str, Meta(max_length=254, pattern=E_MAIL_OR_EMPTY, examples=["api@example.com"])]
Website = Annotated[str, Meta(max_length=500, pattern=WEB_ADDRESS_OR_EMPTY, examples=["https://partner.example.com"])]


class ChangeMe(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a partner may change of itself. A field that is not sent is left as it is; empty text empties it. `company`
    and `email` change when an administrator approves."""

    company: Name | UnsetType = UNSET
    contact: Text200 | UnsetType = UNSET
    email: EMail | UnsetType = UNSET
    phone: Phone | UnsetType = UNSET
    website: Website | UnsetType = UNSET

    def columns(self) -> dict[str, Any]:
        """The columns that were sent."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}


class Limits(msgspec.Struct, rename="camel"):
    """How much the key may ask for; null: as much as it likes."""

    requests_per_minute: int | None


class MyKey(msgspec.Struct, rename="camel"):
    """The key behind the token. `practicepass` is null where it is good for all practices, `expiresAt` where it does
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
    """What was requested and an administrator has not decided yet; a field that is left out does not change."""

    change_id: int
    requested_at: datetime
    company: str | UnsetType = UNSET
    email: str | UnsetType = UNSET


class Me(msgspec.Struct, rename="camel"):
    """The partner, and the key it calls with. `pendingChanges` is null when nothing waits for an administrator."""

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
