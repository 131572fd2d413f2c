"""Partners and their keys on the wire. (API.md: Admin endpoints)"""

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
    """Where mail reaches somebody."""

    __slots__ = ()
    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "format": "email",
        "maxLength": MAXIMUM_EMAIL_CHARACTERS,
        "examples": ["anna@booking.example"],
    }

    @classmethod
    def parse(cls, text: object) -> "EmailAddress":
        if not isinstance(text, str) or len(text) > MAXIMUM_EMAIL_CHARACTERS or not _EMAIL.fullmatch(text):
            raise ValueError(f"must be an e-mail address of at most {MAXIMUM_EMAIL_CHARACTERS} characters")
        return cls(text)


class Website(str):
    """An address of the web; empty when there is none."""

    __slots__ = ()
    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "maxLength": MAXIMUM_WEBSITE_CHARACTERS,
        "pattern": _WEBSITE.pattern,
        "examples": ["https://booking.example"],
    }

    @classmethod
    def parse(cls, text: object) -> "Website":
        if not isinstance(text, str) or len(text) > MAXIMUM_WEBSITE_CHARACTERS or not _WEBSITE.fullmatch(text):
            raise ValueError(f"must begin with https:// or http://, at most {MAXIMUM_WEBSITE_CHARACTERS} characters")
        return cls(text)


Scope = Annotated[str, Meta(extra_json_schema={"enum": sorted(EVERY_SCOPE)})]
Scopes = Annotated[
    list[Scope], Meta(min_length=1, max_length=len(EVERY_SCOPE), extra_json_schema={"uniqueItems": True})
]


class NewPartner(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A company that will call us, and whom to ask there."""

    company: Name
    contact: Name
    email: EmailAddress
    phone: Text50 = ""
    website: Website = cast("Website", "")
    active: bool = True


class ChangePartner(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What is left out stays as it is. The keys of a partner that is not active do not work."""

    company: Name | UnsetType = UNSET
    contact: Name | UnsetType = UNSET
    email: EmailAddress | UnsetType = UNSET
    phone: Text50 | UnsetType = UNSET
    website: Website | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Partner(msgspec.Struct, rename="camel"):
    """A company that calls us."""

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
        description="Patients in responses to the key a day (0:00 to 24:00 UTC), then 429 `patient_budget_exceeded`; "
        "null: as OFFICEPRO_PATIENT_BUDGET_PER_DAY says; 0: no limit.",
    ),
]


class NewKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A key for a partner, in one practice, or in all of them when `practicepass` is null. `purpose` says what its
    calls serve; each disclosure to the key is recorded with it."""

    partner_id: RecordId
    practicepass: Annotated[str, Meta(min_length=1, max_length=64, pattern=rf"^[A-Za-z0-9_-]*{END}")] | None
    name: Name
    scopes: Scopes = msgspec.field(default_factory=lambda: sorted(DEFAULT_SCOPES))
    expires_at: Moment | None = None
    purpose: Purpose = "other"
    patient_budget_per_day: PatientBudget | None = None


class ChangeKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Fields to change; omitted fields are unchanged. `purpose`: with which disclosures to this key are recorded."""

    purpose: Purpose | UnsetType = UNSET
    patient_budget_per_day: PatientBudget | UnsetType | None = UNSET


class RotateKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """For how long the old key works beside the new one; 0 ends it at once."""

    grace_seconds: Annotated[int, Meta(ge=0, le=LONGEST_GRACE_SECONDS)]


class Key(msgspec.Struct, rename="camel"):
    """An API key, without its secret. `practicepass` is null when it works in every practice."""

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
    """The key that a rotation replaces, and until when it still works."""

    key_id: int
    expires_at: str | None


class IssuedKey(msgspec.Struct, rename="camel"):
    """A new API key. `apiKey` is shown this once; a repeat of the request by Idempotency-Key shows null."""

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
    """A change that a partner has requested; `company` and `email` are null where they do not change."""

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
