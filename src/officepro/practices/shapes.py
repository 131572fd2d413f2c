"""Practices and their set-up on the wire. (API.md: Admin endpoints)"""

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
SlotMinutes = Annotated[int, Meta(ge=1, le=MINUTES_OF_DAY, description="Visits start every so many minutes.")]
NoticeMinutes = Annotated[int, Meta(ge=0, le=525_600, description="How long before its start a visit is booked.")]
HorizonDays = Annotated[int, Meta(ge=1, le=3650, description="How many days ahead a visit is booked; null: any.")]
BufferMinutes = Annotated[int, Meta(ge=0, le=240)]


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

    @classmethod
    def of(cls, practice: queries.Practice) -> "Practice":
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

    @classmethod
    def of(cls, provider: furnish.Provider) -> "Provider":
        return cls(*msgspec.structs.astuple(provider))


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

    @classmethod
    def of(cls, room: setup.Room) -> "Room":
        return cls(*msgspec.structs.astuple(room))


class PutVisitType(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A visit type is known by its name. What is left out stays as it is; a list that is given replaces the old one."""

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
    """Which providers may do it, and in which rooms; without rooms it needs none. It takes `durationMinutes` unless a
    request says otherwise. Notice and horizon are null where the practice's own hold."""

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
        return cls(*msgspec.structs.astuple(visit_type))


class PutTag(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """With an id, that tag gets this name; without, there is a tag of this name afterwards."""

    tag: Label
    id: RecordId | UnsetType = UNSET


class Tag(msgspec.Struct, rename="camel"):
    """One of the practice's labels for its prospects."""

    id: int
    tag: str

    @classmethod
    def of(cls, tag: furnish.Tag) -> "Tag":
        return cls(tag.tag_id, tag.tag)


class PutHours(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A span of a provider's week. An end that is not after the start is the next day's; 00:00 is midnight."""

    weekday: Weekday
    start: ClockMinute
    end: ClockMinute
    valid_from: LocalDate | None = None
    valid_until: LocalDate | None = None

    @property
    def span(self) -> Span:
        return Span(
            WEEKDAYS.index(self.weekday), self.start, end_of(self.start, self.end), self.valid_from, self.valid_until
        )


class Hours(msgspec.Struct, rename="camel"):
    """A span of a provider's week, on the days from `validFrom` to `validUntil`, both inclusive."""

    weekday: Weekday
    start: str
    end: str
    valid_from: str | None
    valid_until: str | None

    @classmethod
    def of(cls, span: Span) -> "Hours":
        return cls(
            WEEKDAYS[span.weekday],
            ClockMinute.written(span.starts_minute),
            ClockMinute.written(span.ends_minute),
            span.valid_from.isoformat() if span.valid_from else None,
            span.valid_until.isoformat() if span.valid_until else None,
        )


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

    @classmethod
    def of(cls, time_off: hours.TimeOff, time_zone: str) -> "TimeOff":
        starts, ends = written(time_zone, time_off.starts_at), written(time_zone, time_off.ends_at)
        return cls(time_off.time_off_id, starts, ends, time_off.reason)


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

    @classmethod
    def of(cls, extra: hours.ExtraOpening) -> "ExtraHours":
        starts, ends = ClockMinute.written(extra.starts_minute), ClockMinute.written(extra.ends_minute)
        return cls(extra.extra_opening_id, extra.day.isoformat(), starts, ends)


class Deleted(msgspec.Struct, rename="camel"):
    """What is no longer there."""

    id: int


def sent(shape: msgspec.Struct, **names: str) -> dict[str, Any]:
    """The fields that were sent, by the names that they have in the record: those of the shape, but for `names`."""
    return {
        names.get(field, field): value for field, value in msgspec.structs.asdict(shape).items() if value is not UNSET
    }
