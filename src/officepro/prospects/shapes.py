"""Request and response bodies of prospects: every field of the source API specification. (section Prospects)"""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.paging import DEFAULT_LIMIT, MAXIMUM_LIMIT, MAXIMUM_PAGE
from officepro.foundation.wire import (
    E_MAIL_OR_EMPTY,
    LocalDate,
    Moment,
    RecordId,
    Text20,
    Text50,
    Text100,
    Text200,
    Text10000,
)
from officepro.prospects.images import MAXIMUM_PIXELS, without_metadata

MAXIMUM_PICTURE_BYTES = 1024 * 1024

Phone = Annotated[str, Meta(max_length=40, pattern=r"^[^\x00]*$", examples=["555-0123"])]
EMail = Annotated[str, Meta(max_length=254, pattern=E_MAIL_OR_EMPTY, examples=["john@example.com"])]
Gender = Literal["m", "f", "o", "u"]
LifeStage = Literal["Infant", "Toddler", "Child", "Adolescent", "EarlyAdult", "Adult", "AllAdults", "Senior"]
PersonType = Literal["Patient", "Child", "Cash", "Insurance", "Guarantor"]


class Picture(bytes):
    """A PNG or JPEG of at most 1 MiB without its metadata, base64 on the wire. `data:` URLs are accepted."""

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "contentEncoding": "base64",
        "description": (
            f"A PNG or JPEG of at most 1 MiB and {MAXIMUM_PIXELS:,} × {MAXIMUM_PIXELS:,} pixels, in base64. "
            "Its metadata (place, time, camera, comments, thumbnails, colour profile) is removed before it is stored."
        ),
    }

    @classmethod
    def parse(cls, text: object) -> "Picture":
        """Decode, check and strip a picture. Raises ValueError."""
        if not isinstance(text, str):
            raise ValueError("must be a PNG or JPEG in base64")
        if text.startswith("data:image/"):
            text = text.partition(",")[2]
        try:
            image = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("is not valid base64") from None
        if len(image) > MAXIMUM_PICTURE_BYTES:
            raise ValueError(f"must be a picture of at most {MAXIMUM_PICTURE_BYTES:,} bytes")
        return cls(without_metadata(image))


class ProspectFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Writable fields of a prospect. Omitted fields are unchanged; null clears a field."""

    first_name: Text100 | UnsetType | None = msgspec.field(name="FirstName", default=UNSET)
    mi: Text20 | UnsetType | None = msgspec.field(name="MI", default=UNSET)
    last_name: Text100 | UnsetType | None = msgspec.field(name="LastName", default=UNSET)
    full_name: Text200 | UnsetType | None = msgspec.field(name="FullName", default=UNSET)
    nick_name: Text100 | UnsetType | None = msgspec.field(name="NickName", default=UNSET)
    gender: Gender | UnsetType | None = msgspec.field(name="Gender", default=UNSET)
    dob: LocalDate | UnsetType | None = msgspec.field(name="DOB", default=UNSET)
    life_stage: LifeStage | UnsetType | None = msgspec.field(name="LifeStage", default=UNSET)
    pronouns: Text50 | UnsetType | None = msgspec.field(name="Pronouns", default=UNSET)
    sexual_identity: Text50 | UnsetType | None = msgspec.field(name="SexualIdentity", default=UNSET)
    primary_language: Text50 | UnsetType | None = msgspec.field(name="PrimaryLanguage", default=UNSET)
    type: PersonType | UnsetType | None = msgspec.field(name="Type", default=UNSET)
    phone: Phone | UnsetType | None = msgspec.field(name="Phone", default=UNSET)
    cell_phone: Phone | UnsetType | None = msgspec.field(name="CellPhone", default=UNSET)
    sms_phone: Phone | UnsetType | None = msgspec.field(name="SMSPhone", default=UNSET)
    email: EMail | UnsetType | None = msgspec.field(name="EMail", default=UNSET)
    address: Text200 | UnsetType | None = msgspec.field(name="Address", default=UNSET)
    unit: Text50 | UnsetType | None = msgspec.field(name="Unit", default=UNSET)
    city: Text100 | UnsetType | None = msgspec.field(name="City", default=UNSET)
    state: Text50 | UnsetType | None = msgspec.field(name="State", default=UNSET)
    zip: Text20 | UnsetType | None = msgspec.field(name="Zip", default=UNSET)
    country: Text50 | UnsetType | None = msgspec.field(name="Country", default=UNSET)
    provider_id: RecordId | UnsetType | None = msgspec.field(name="ProviderID", default=UNSET)
    prospect: Literal[0, 1] | UnsetType = msgspec.field(name="Prospect", default=UNSET)
    sh_name: Text200 | UnsetType | None = msgspec.field(name="Sh_Name", default=UNSET)
    sh_address: Text200 | UnsetType | None = msgspec.field(name="Sh_Address", default=UNSET)
    sh_unit: Text50 | UnsetType | None = msgspec.field(name="Sh_Unit", default=UNSET)
    sh_city: Text100 | UnsetType | None = msgspec.field(name="Sh_City", default=UNSET)
    sh_state: Text50 | UnsetType | None = msgspec.field(name="Sh_State", default=UNSET)
    sh_zip: Text20 | UnsetType | None = msgspec.field(name="Sh_Zip", default=UNSET)
    sh_country: Text50 | UnsetType | None = msgspec.field(name="Sh_Country", default=UNSET)
    notes: Text10000 | UnsetType | None = msgspec.field(name="Notes", default=UNSET)
    picture: Picture | UnsetType | None = msgspec.field(name="PtImg", default=UNSET)

    def columns(self) -> dict[str, Any]:
        """Return the columns that were sent, except the picture; an empty text clears a field."""
        sent = {field: getattr(self, field) for field in self.__struct_fields__ if field != "picture"}
        return {field: None if value == "" else value for field, value in sent.items() if value is not UNSET}


class SearchProspects(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Search parameters; each field has the meaning of the list parameter of the same name."""

    search: Text200 | None = None
    page: Annotated[int, Meta(ge=1, le=MAXIMUM_PAGE)] = 1
    limit: Annotated[int, Meta(ge=1, le=MAXIMUM_LIMIT)] = DEFAULT_LIMIT
    prospect: bool = False
    tag_id: RecordId | None = None
    updated_since: Moment | None = None
    cursor: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class ProspectTag(msgspec.Struct):
    """A tag of a prospect."""

    tag_id: int = msgspec.field(name="TagID")
    tag: str = msgspec.field(name="Tag")


class Prospect(msgspec.Struct):
    """A person in the practice's records. Lists omit `PtImg`."""

    patient_id: int = msgspec.field(name="PatientID")
    first_name: str | None = msgspec.field(name="FirstName")
    mi: str | None = msgspec.field(name="MI")
    last_name: str | None = msgspec.field(name="LastName")
    full_name: str | None = msgspec.field(name="FullName")
    nick_name: str | None = msgspec.field(name="NickName")
    gender: Gender | None = msgspec.field(name="Gender")
    dob: LocalDate | None = msgspec.field(name="DOB")
    life_stage: LifeStage | None = msgspec.field(name="LifeStage")
    pronouns: str | None = msgspec.field(name="Pronouns")
    sexual_identity: str | None = msgspec.field(name="SexualIdentity")
    primary_language: str | None = msgspec.field(name="PrimaryLanguage")
    type: PersonType | None = msgspec.field(name="Type")
    phone: str | None = msgspec.field(name="Phone")
    cell_phone: str | None = msgspec.field(name="CellPhone")
    sms_phone: str | None = msgspec.field(name="SMSPhone")
    email: str | None = msgspec.field(name="EMail")
    address: str | None = msgspec.field(name="Address")
    unit: str | None = msgspec.field(name="Unit")
    city: str | None = msgspec.field(name="City")
    state: str | None = msgspec.field(name="State")
    zip: str | None = msgspec.field(name="Zip")
    country: str | None = msgspec.field(name="Country")
    provider_id: int | None = msgspec.field(name="ProviderID")
    prospect: Literal[0, 1] = msgspec.field(name="Prospect")
    sh_name: str | None = msgspec.field(name="Sh_Name")
    sh_address: str | None = msgspec.field(name="Sh_Address")
    sh_unit: str | None = msgspec.field(name="Sh_Unit")
    sh_city: str | None = msgspec.field(name="Sh_City")
    sh_state: str | None = msgspec.field(name="Sh_State")
    sh_zip: str | None = msgspec.field(name="Sh_Zip")
    sh_country: str | None = msgspec.field(name="Sh_Country")
    notes: str | None = msgspec.field(name="Notes")
    created_at: datetime = msgspec.field(name="CreatedAt")
    updated_at: datetime = msgspec.field(name="UpdatedAt")
    tags: list[ProspectTag] = msgspec.field(name="Tags")
    picture: str | UnsetType | None = msgspec.field(name="PtImg", default=UNSET)
