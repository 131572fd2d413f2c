"""Practices and their set-up on the wire. (API.md: Admin endpoints)"""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.wire import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    MINUTES_OF_DAY,
    Label,
    LocalDate,
    Moment,
    Name,
    RecordId,
    Text100,
    Text200,
    Text500,
)
from officepro.practices.furnish import MAXIMUM_PROVIDERS, MAXIMUM_ROOMS
from officepro.practices.queries import PRACTICEPASS_FORM

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Practicepass = Annotated[str, Meta(pattern=PRACTICEPASS_FORM, examples=["DemoOffice"])]
TimeZone = Annotated[str, Meta(max_length=100, description="An IANA time zone.", examples=["America/New_York"])]
SlotMinutes = Annotated[int, Meta(ge=1, le=MINUTES_OF_DAY, description="Visits start every so many minutes.")]
NoticeMinutes = Annotated[int, Meta(ge=0, le=525_600, description="How long before its start a visit is booked.")]
HorizonDays = Annotated[int, Meta(ge=1, le=3650, description="How many days ahead a visit is booked; null: any.")]
BufferMinutes = Annotated[int, Meta(ge=0, le=240)]

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00)?")
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


class ClockMinute(int):
    """A whole minute of the day, `HH:MM`, as minutes since midnight."""

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": f"^{_CLOCK.pattern}$",
        "examples": ["09:00"],
    }

    @classmethod
    def parse(cls, text: object) -> "ClockMinute":
        if not isinstance(text, str) or not _CLOCK.fullmatch(text):
            raise ValueError("must be a time of day in whole minutes as HH:MM, 00:00 to 23:59")
        return cls(int(text[:2]) * 60 + int(text[3:5]))

    @staticmethod
    def written(minute: int) -> str:
        return f"{minute // 60 % 24:02}:{minute % 60:02}"


class LocalDateTime(datetime):
    """A time on the practice's clocks, `YYYY-MM-DDTHH:MM:SS`, without an offset; or an instant as RFC 3339."""

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "description": "On the practice's clocks (YYYY-MM-DDTHH:MM:SS), or with an offset (RFC 3339).",
        "examples": ["2026-03-09T09:00:00"],
    }

    @classmethod
    def parse(cls, text: object) -> "LocalDateTime":
        if not isinstance(text, str) or not _LOCAL.fullmatch(text):
            return cls._of_moment(text)
        try:
            local = cls.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text} is not a time of the calendar") from None
        if not EARLIEST_YEAR <= local.year <= LATEST_YEAR:
            raise ValueError(f"must be a time of the years {EARLIEST_YEAR} to {LATEST_YEAR}")
        return local

    @classmethod
    def _of_moment(cls, text: object) -> "LocalDateTime":
        try:
            moment = Moment.parse(text)
        except ValueError as error:
            if "RFC 3339" not in str(error):
                raise
            raise ValueError(
                "must be a time of the practice as YYYY-MM-DDTHH:MM:SS, or an instant with an offset as RFC 3339"
            ) from None
        return cls.combine(moment.date(), moment.timetz())


class NewPractice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A practice to set up; the practicepass names it in every address and stays as it is."""

    practicepass: Practicepass
    name: Name
    timezone: TimeZone
    slot_minutes: SlotMinutes = 15
    minimum_notice_minutes: NoticeMinutes = 0
    booking_horizon_days: HorizonDays | None = None
    active: bool = True


class ChangePractice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What is left out stays as it is. A practice that is not active lets no partner in."""

    name: Name | UnsetType = UNSET
    timezone: TimeZone | UnsetType = UNSET
    slot_minutes: SlotMinutes | UnsetType = UNSET
    minimum_notice_minutes: NoticeMinutes | UnsetType = UNSET
    booking_horizon_days: HorizonDays | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET


class Practice(msgspec.Struct, rename="camel"):
    """A practice."""

    practicepass: str
    name: str
    timezone: str
    slot_minutes: int
    minimum_notice_minutes: int
    booking_horizon_days: int | None
    active: bool
    created_at: str
    updated_at: str


class PutProvider(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Without an id, or with one that is not known, a new provider; else what is left out stays as it is."""

    id: RecordId | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    title: Text100 | UnsetType = UNSET
    specialty: Text200 | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Provider(msgspec.Struct, rename="camel"):
    """Whoever sees patients. One that is not active has no free times."""

    id: int
    name: str
    title: str
    specialty: str
    active: bool


class PutRoom(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Without an id, or with one that is not known, a new room; else what is left out stays as it is."""

    id: RecordId | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Room(msgspec.Struct, rename="camel"):
    """Where visits take place."""

    id: int
    name: str
    active: bool


class PutVisitType(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A visit type is known by its name. What is left out stays as it is; a list that is given replaces the old one."""

    visit_type: Label
    active: bool | UnsetType = UNSET
    providers: Annotated[list[RecordId], Meta(max_length=MAXIMUM_PROVIDERS)] | UnsetType = UNSET
    resources: Annotated[list[RecordId], Meta(max_length=MAXIMUM_ROOMS)] | UnsetType = UNSET
    buffer_before_minutes: BufferMinutes | UnsetType = UNSET
    buffer_after_minutes: BufferMinutes | UnsetType = UNSET
    minimum_notice_minutes: NoticeMinutes | UnsetType | None = UNSET
    booking_horizon_days: HorizonDays | UnsetType | None = UNSET


class VisitType(msgspec.Struct, rename="camel"):
    """Which providers may do it, and in which rooms; without rooms it needs none. Notice and horizon are null where the
    practice's own hold."""

    visit_type: str
    active: bool
    providers: list[int]
    resources: list[int]
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int | None
    booking_horizon_days: int | None


class PutTag(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """With an id, that tag gets this name; without, there is a tag of this name afterwards."""

    tag: Label
    id: RecordId | UnsetType = UNSET


class Tag(msgspec.Struct, rename="camel"):
    """One of the practice's labels for its prospects."""

    id: int
    tag: str


class PutHours(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A span of a provider's week. An end that is not after the start is the next day's; 00:00 is midnight."""

    weekday: Weekday
    start: ClockMinute
    end: ClockMinute
    valid_from: LocalDate | None = None
    valid_until: LocalDate | None = None


class Hours(msgspec.Struct, rename="camel"):
    """A span of a provider's week, on the days from `validFrom` to `validUntil`, both inclusive."""

    weekday: Weekday
    start: str
    end: str
    valid_from: str | None
    valid_until: str | None


class PutTimeOff(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """With an id, that time off is changed; without, there is a time off of this span afterwards."""

    start: LocalDateTime
    end: LocalDateTime
    id: RecordId | UnsetType = UNSET
    reason: Text500 | UnsetType = UNSET


class TimeOff(msgspec.Struct, rename="camel"):
    """On the practice's clocks; a time that these show twice carries its offset when it is the second."""

    id: int
    start: str
    end: str
    reason: str


class PutExtraHours(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """With an id, those extra hours are changed; without, there are extra hours of this span afterwards."""

    date: LocalDate
    start: ClockMinute
    end: ClockMinute
    id: RecordId | UnsetType = UNSET


class ExtraHours(msgspec.Struct, rename="camel"):
    """Hours on one day, beside the week's. An end that is not after the start is the next day's."""

    id: int
    date: str
    start: str
    end: str


class Deleted(msgspec.Struct, rename="camel"):
    """What is no longer there."""

    id: int


def sent(shape: msgspec.Struct, **names: str) -> dict[str, Any]:
    """The fields that were sent, by the names that they have in the record: those of the shape, but for `names`."""
    return {
        names.get(field, field): value for field, value in msgspec.structs.asdict(shape).items() if value is not UNSET
    }
