"""Request and response bodies of partners and their API keys. (API.md: Admin endpoints)"""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.access import keys
from officepro.access.keys import LONGEST_GRACE_SECONDS, Purpose, Status
from officepro.access.scopes import DEFAULT_SCOPES, EVERY_SCOPE
from officepro.foundation.clock import timestamp
from officepro.foundation.wire import E_MAIL, END, WEB_ADDRESS_OR_EMPTY, Moment, Name, RecordId, Text50
from officepro.partners import change_queries, queries

MAXIMUM_EMAIL_CHARACTERS = 254  # RFC 5321, section 4.5.3.1
MAXIMUM_WEBSITE_CHARACTERS = 500
_EMAIL = re.compile(E_MAIL)
_WEBSITE = re.compile(WEB_ADDRESS_OR_EMPTY)


class EmailAddress(str):
    """An e-mail address."""

    __slots__ = ()
    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "format": "email",
        "maxLength": MAXIMUM_EMAIL_CHARACTERS,
        "examples": ["anna@booking.example"],
    }

    @classmethod
    def parse(cls, text: object) -> "EmailAddress":
        """Check an e-mail address. Raises ValueError."""
        if not isinstance(text, str) or len(text) > MAXIMUM_EMAIL_CHARACTERS or not _EMAIL.fullmatch(text):
            raise ValueError(f"must be an e-mail address of at most {MAXIMUM_EMAIL_CHARACTERS} characters")
        return cls(text)


class Website(str):
    """An http or https URL; empty if there is none."""

    __slots__ = ()
    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "maxLength": MAXIMUM_WEBSITE_CHARACTERS,
        "pattern": _WEBSITE.pattern,
        "examples": ["https://booking.example"],
    }

    @classmethod
    def parse(cls, text: object) -> "Website":
        """Check a URL. Raises ValueError."""
        if not isinstance(text, str) or len(text) > MAXIMUM_WEBSITE_CHARACTERS or not _WEBSITE.fullmatch(text):
            raise ValueError(f"must begin with https:// or http://, at most {MAXIMUM_WEBSITE_CHARACTERS} characters")
        return cls(text)


Scope = Annotated[str, Meta(extra_json_schema={"enum": sorted(EVERY_SCOPE)})]
Scopes = Annotated[
    list[Scope], Meta(min_length=1, max_length=len(EVERY_SCOPE), extra_json_schema={"uniqueItems": True})
]


class NewPartner(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A company that will call the API, and its contact."""

    company: Name
    contact: Name
    email: EmailAddress
    phone: Text50 = ""
    website: Website = cast("Website", "")
    active: bool = True


class ChangePartner(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Fields to change; omitted fields are unchanged. The keys of an inactive partner do not work."""

    company: Name | UnsetType = UNSET
    contact: Name | UnsetType = UNSET
    email: EmailAddress | UnsetType = UNSET
    phone: Text50 | UnsetType = UNSET
    website: Website | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Partner(msgspec.Struct, rename="camel"):
    """A company that calls the API."""

    partner_id: int
    company: str
    contact: str
    email: str
    phone: str
    website: str
    active: bool
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, partner: queries.Partner) -> "Partner":
        """Return the response body of a partner."""
        return cls(
            partner_id=partner.partner_id,
            company=partner.company,
            contact=partner.contact,
            email=partner.email,
            phone=partner.phone,
            website=partner.website,
            active=partner.active,
            created_at=timestamp(partner.created_at),
            updated_at=timestamp(partner.updated_at),
        )


PatientBudget = Annotated[
    int,
    Meta(
        ge=0,
        le=10_000_000,
        description="Maximum number of patients in responses per day (UTC), then 429 `patient_budget_exceeded`; "
        "null: OFFICEPRO_PATIENT_BUDGET_PER_DAY; 0: no limit.",
    ),
]


class NewKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An API key to create, for one practice, or for all if `practicepass` is null. `purpose` is recorded with each
    disclosure to the key."""

    partner_id: RecordId
    practicepass: Annotated[str, Meta(min_length=1, max_length=64, pattern=rf"^[A-Za-z0-9_-]*{END}")] | None
    name: Name
    scopes: Scopes = msgspec.field(default_factory=lambda: sorted(DEFAULT_SCOPES))
    expires_at: Moment | None = None
    purpose: Purpose = "other"
    patient_budget_per_day: PatientBudget | None = None


class ChangeKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Fields to change; omitted fields are unchanged. `purpose` is recorded with each later disclosure to the key."""

    purpose: Purpose | UnsetType = UNSET
    patient_budget_per_day: PatientBudget | UnsetType | None = UNSET


class RotateKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Grace period in seconds during which the old key also works; 0 ends it immediately."""

    grace_seconds: Annotated[int, Meta(ge=0, le=LONGEST_GRACE_SECONDS)]


class Key(msgspec.Struct, rename="camel"):
    """An API key, without its secret. `practicepass` is null if it is valid for all practices."""

    key_id: int
    partner_id: int
    company: str
    practicepass: str | None
    name: str
    scopes: list[str]
    purpose: Purpose
    patient_budget_per_day: int | None
    status: Status
    expires_at: str | None
    revoked_at: str | None
    replaced_by: int | None
    last_used_at: str | None
    created_at: str

    @classmethod
    def of(cls, key: keys.Key) -> "Key":
        """Return the response body of a key."""
        return cls(
            key_id=key.key_id,
            partner_id=key.partner_id,
            company=key.company,
            practicepass=key.practicepass,
            name=key.name,
            scopes=key.scopes,
            purpose=key.purpose,
            patient_budget_per_day=key.patient_budget_per_day,
            status=key.status,
            expires_at=_at(key.expires_at),
            revoked_at=_at(key.revoked_at),
            replaced_by=key.replaced_by,
            last_used_at=_at(key.last_used_at),
            created_at=timestamp(key.created_at),
        )


class ReplacedKey(msgspec.Struct, rename="camel"):
    """The key replaced by a rotation, and the time at which it expires."""

    key_id: int
    expires_at: str | None


class IssuedKey(msgspec.Struct, rename="camel"):
    """A new API key. `apiKey` is shown once; a retry with the same Idempotency-Key returns null."""

    key_id: int
    api_key: str | None
    partner_id: int
    practicepass: str | None
    name: str
    scopes: list[str]
    purpose: Purpose
    patient_budget_per_day: int | None
    status: Status
    expires_at: str | None
    created_at: str
    replaces: ReplacedKey | UnsetType = UNSET

    @classmethod
    def of(cls, issued: keys.Issued, replaced: keys.Key | None = None) -> "IssuedKey":
        """Return the response body of a new key."""
        key = issued.key
        return cls(
            key_id=key.key_id,
            api_key=issued.secret,
            partner_id=key.partner_id,
            practicepass=key.practicepass,
            name=key.name,
            scopes=key.scopes,
            purpose=key.purpose,
            patient_budget_per_day=key.patient_budget_per_day,
            status=key.status,
            expires_at=_at(key.expires_at),
            created_at=timestamp(key.created_at),
            replaces=ReplacedKey(replaced.key_id, _at(replaced.expires_at)) if replaced else UNSET,
        )


def _at(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None


class PartnerChange(msgspec.Struct, rename="camel"):
    """A change requested by a partner; `company` and `email` are null if unchanged."""

    change_id: int
    partner_id: int
    present_company: str
    present_email: str
    company: str | None
    email: str | None
    key_id: int
    status: change_queries.Status
    requested_at: datetime
    decided_at: datetime | None
