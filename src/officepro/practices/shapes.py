"""Request and response bodies of practices and their configuration. (API.md: Admin endpoints)"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.clock import timestamp
from officepro.foundation.local_time import written
from officepro.foundation.wire import (
    MINUTES_OF_DAY,
    DurationMinutes,
    Label,
    LocalDate,
    Name,
    RecordId,
    Text100,
    Text200,
    Text500,
)
from officepro.practices import furnish, hours, queries, setup
from officepro.practices.furnish import MAXIMUM_PROVIDERS, MAXIMUM_ROOMS
from officepro.practices.queries import PRACTICEPASS_FORM
from officepro.practices.times import ClockMinute, LocalDateTime
from officepro.practices.week import Span, end_of

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Practicepass = Annotated[str, Meta(pattern=PRACTICEPASS_FORM, examples=["DemoOffice"])]
TimeZone = Annotated[str, Meta(max_length=100, description="An IANA time zone.", examples=["America/New_York"])]
SlotMinutes = Annotated[int, Meta(ge=1, le=MINUTES_OF_DAY, description="Slot interval; visits start at its multiples.")]
NoticeMinutes = Annotated[int, Meta(ge=0, le=525_600, description="Minimum time between booking and start.")]
HorizonDays = Annotated[int, Meta(ge=1, le=3650, description="Maximum days until the start; null: no limit.")]
BufferMinutes = Annotated[int, Meta(ge=0, le=240)]


class NewPractice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A practice to create. The practicepass identifies it in every URL and cannot be changed."""

    practicepass: Practicepass
    name: Name
    timezone: TimeZone
    slot_minutes: SlotMinutes = 15
    minimum_notice_minutes: NoticeMinutes = 0
    booking_horizon_days: HorizonDays | None = None
    active: bool = True


class ChangePractice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Fields to change; omitted fields are unchanged. Partners have no access to an inactive practice."""

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

    @classmethod
    def of(cls, practice: queries.Practice) -> "Practice":
        """Return the response body of a practice."""
        return cls(
            practicepass=practice.practicepass,
            name=practice.name,
            timezone=practice.time_zone,
            slot_minutes=practice.slot_minutes,
            minimum_notice_minutes=practice.minimum_notice_minutes,
            booking_horizon_days=practice.booking_horizon_days,
            active=practice.active,
            created_at=timestamp(practice.created_at),
            updated_at=timestamp(practice.updated_at),
        )


class PutProvider(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Creates a provider without an id or with a new id; otherwise changes it, and omitted fields are unchanged."""

    id: RecordId | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    title: Text100 | UnsetType = UNSET
    specialty: Text200 | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Provider(msgspec.Struct, rename="camel"):
    """A person who sees patients. An inactive provider has no availability."""

    id: int
    name: str
    title: str
    specialty: str
    active: bool

    @classmethod
    def of(cls, provider: furnish.Provider) -> "Provider":
        """Return the response body of a provider."""
        return cls(*msgspec.structs.astuple(provider))


class PutRoom(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Creates a room without an id or with a new id; otherwise changes it, and omitted fields are unchanged."""

    id: RecordId | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Room(msgspec.Struct, rename="camel"):
    """A room that visits take place in."""

    id: int
    name: str
    active: bool

    @classmethod
    def of(cls, room: setup.Room) -> "Room":
        """Return the response body of a room."""
        return cls(*msgspec.structs.astuple(room))


class PutVisitType(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A visit type, identified by its name. Omitted fields are unchanged; a list replaces the existing list."""

    visit_type: Label
    active: bool | UnsetType = UNSET
    providers: Annotated[list[RecordId], Meta(max_length=MAXIMUM_PROVIDERS)] | UnsetType = UNSET
    resources: Annotated[list[RecordId], Meta(max_length=MAXIMUM_ROOMS)] | UnsetType = UNSET
    duration_minutes: DurationMinutes | UnsetType = UNSET
    buffer_before_minutes: BufferMinutes | UnsetType = UNSET
    buffer_after_minutes: BufferMinutes | UnsetType = UNSET
    minimum_notice_minutes: NoticeMinutes | UnsetType | None = UNSET
    booking_horizon_days: HorizonDays | UnsetType | None = UNSET


class VisitType(msgspec.Struct, rename="camel"):
    """A visit type with the providers and rooms that it may use; without rooms it needs none. `durationMinutes` is the
    default for requests without a duration. Notice and horizon are null where the practice's values apply."""

    visit_type: str
    active: bool
    providers: list[int]
    resources: list[int]
    duration_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int | None
    booking_horizon_days: int | None

    @classmethod
    def of(cls, visit_type: furnish.VisitType) -> "VisitType":
        """Return the response body of a visit type."""
        return cls(*msgspec.structs.astuple(visit_type))


class PutTag(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """With an id, renames that tag; without one, creates the tag if no tag has this name."""

    tag: Label
    id: RecordId | UnsetType = UNSET


class Tag(msgspec.Struct, rename="camel"):
    """A label of the practice for its prospects."""

    id: int
    tag: str

    @classmethod
    def of(cls, tag: furnish.Tag) -> "Tag":
        """Return the response body of a tag."""
        return cls(tag.tag_id, tag.tag)


class PutHours(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Weekly hours on one weekday. An end at or before the start is on the next day; 00:00 is midnight."""

    weekday: Weekday
    start: ClockMinute
    end: ClockMinute
    valid_from: LocalDate | None = None
    valid_until: LocalDate | None = None

    @property
    def span(self) -> Span:
        """Return the hours as a span of the week."""
        return Span(
            WEEKDAYS.index(self.weekday), self.start, end_of(self.start, self.end), self.valid_from, self.valid_until
        )


class Hours(msgspec.Struct, rename="camel"):
    """Weekly hours on one weekday, valid from `validFrom` to `validUntil`, both inclusive."""

    weekday: Weekday
    start: str
    end: str
    valid_from: str | None
    valid_until: str | None

    @classmethod
    def of(cls, span: Span) -> "Hours":
        """Return the response body of a span."""
        return cls(
            WEEKDAYS[span.weekday],
            ClockMinute.written(span.starts_minute),
            ClockMinute.written(span.ends_minute),
            span.valid_from.isoformat() if span.valid_from else None,
            span.valid_until.isoformat() if span.valid_until else None,
        )


class PutTimeOff(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """With an id, changes that time off; without one, creates it if no time off has this span."""

    start: LocalDateTime
    end: LocalDateTime
    id: RecordId | UnsetType = UNSET
    reason: Text500 | UnsetType = UNSET


class TimeOff(msgspec.Struct, rename="camel"):
    """Time off in the practice's local time. The second occurrence of an ambiguous time (end of daylight saving)
    includes its offset."""

    id: int
    start: str
    end: str
    reason: str

    @classmethod
    def of(cls, time_off: hours.TimeOff, time_zone: str) -> "TimeOff":
        """Return the response body of time off."""
        starts, ends = written(time_zone, time_off.starts_at), written(time_zone, time_off.ends_at)
        return cls(time_off.time_off_id, starts, ends, time_off.reason)


class PutExtraHours(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """With an id, changes those extra hours; without one, creates them if no extra hours have this span."""

    date: LocalDate
    start: ClockMinute
    end: ClockMinute
    id: RecordId | UnsetType = UNSET


class ExtraHours(msgspec.Struct, rename="camel"):
    """Hours on one day, in addition to the weekly hours. An end at or before the start is on the next day."""

    id: int
    date: str
    start: str
    end: str

    @classmethod
    def of(cls, extra: hours.ExtraOpening) -> "ExtraHours":
        """Return the response body of extra hours."""
        starts, ends = ClockMinute.written(extra.starts_minute), ClockMinute.written(extra.ends_minute)
        return cls(extra.extra_opening_id, extra.day.isoformat(), starts, ends)


class Deleted(msgspec.Struct, rename="camel"):
    """The id of the deleted record."""

    id: int


def sent(shape: msgspec.Struct, **names: str) -> dict[str, Any]:
    """Return the fields that were sent, by their record names: the field names of the shape, translated by `names`."""
    return {
        names.get(field, field): value for field, value in msgspec.structs.asdict(shape).items() if value is not UNSET
    }
