"""Response schemas of providers and availability. (Source API specification: Providers)"""

import datetime

import msgspec
from msgspec import UNSET, UnsetType

from officepro.scheduling.openings import Reason


class Provider(msgspec.Struct):
    """A provider whose time can be booked."""

    id: int
    name: str
    title: str
    specialty: str


class ScheduledVisit(msgspec.Struct):
    """A visit in a provider's schedule: time and type, no patient data."""

    visit_id: int = msgspec.field(name="VisitID")
    time: str
    duration: int
    type: str
    booked: bool


class Schedule(msgspec.Struct, rename="camel"):
    """A provider's visits by local day; days without visits are omitted."""

    provider: Provider
    start_date: datetime.date
    end_date: datetime.date
    schedule: dict[str, list[ScheduledVisit]]
    total_visits: int


class Checked(msgspec.Struct):
    """Whether a time is available; if not, `Reasons` lists why. Contains no patient data."""

    provider_id: int = msgspec.field(name="ProviderID")
    date: datetime.date = msgspec.field(name="Date")
    time: datetime.time = msgspec.field(name="Time")
    duration: int = msgspec.field(name="Duration")
    available: bool = msgspec.field(name="Available")
    reasons: list[Reason] | UnsetType = msgspec.field(name="Reasons", default=UNSET)


class SlotDetail(msgspec.Struct):
    """Start and end of a slot with UTC offset (RFC 3339)."""

    start: str
    end: str


class Slots(msgspec.Struct):
    """A provider's available slots on one local day."""

    provider_id: int = msgspec.field(name="ProviderID")
    date: datetime.date = msgspec.field(name="Date")
    duration: int = msgspec.field(name="Duration")
    slots: list[str] = msgspec.field(name="Slots")
    count: int = msgspec.field(name="Count")
    time_zone: str = msgspec.field(name="TimeZone")
    slot_details: list[SlotDetail] = msgspec.field(name="SlotDetails")


class NextSlotTime(msgspec.Struct):
    """A slot. `ProviderID` is a string here for backward compatibility."""

    provider_id: str = msgspec.field(name="ProviderID")
    date: datetime.date = msgspec.field(name="Date")
    time: str = msgspec.field(name="Time")


class NextSlot(msgspec.Struct):
    """The next available slot; `TheNextSlot` is null if there is none within `SearchWindowDays`."""

    provider_id: int = msgspec.field(name="ProviderID")
    duration: int = msgspec.field(name="Duration")
    search_window_days: int = msgspec.field(name="SearchWindowDays")
    the_next_slot: NextSlotTime | None = msgspec.field(name="TheNextSlot")


class Opening(msgspec.Struct):
    """An available slot of one of several providers."""

    provider_id: int = msgspec.field(name="ProviderID")
    date: datetime.date = msgspec.field(name="Date")
    time: str = msgspec.field(name="Time")
    start: str = msgspec.field(name="Start")
    end: str = msgspec.field(name="End")


class Openings(msgspec.Struct):
    """The available slots of all providers of a visit type, in order of time."""

    visit_type: str = msgspec.field(name="VisitType")
    start_date: datetime.date = msgspec.field(name="StartDate")
    end_date: datetime.date = msgspec.field(name="EndDate")
    duration: int = msgspec.field(name="Duration")
    time_zone: str = msgspec.field(name="TimeZone")
    slots: list[Opening] = msgspec.field(name="Slots")
    count: int = msgspec.field(name="Count")


class NextOpening(msgspec.Struct):
    """The next available slot of any provider of a visit type; `TheNextSlot` is null if there is none."""

    visit_type: str = msgspec.field(name="VisitType")
    duration: int = msgspec.field(name="Duration")
    search_window_days: int = msgspec.field(name="SearchWindowDays")
    the_next_slot: NextSlotTime | None = msgspec.field(name="TheNextSlot")
