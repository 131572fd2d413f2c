"""Providers and free times on the wire. (seeds: Providers)"""

import datetime

import msgspec
from msgspec import UNSET, UnsetType

from officepro.scheduling.openings import Reason


class Provider(msgspec.Struct):
    """Someone whose time can be booked."""

    id: int
    name: str
    title: str
    specialty: str


class ScheduledVisit(msgspec.Struct):
    """A visit in a provider's schedule: when and of what type, and nothing about whose it is."""

    visit_id: int = msgspec.field(name="VisitID")
    time: str
    duration: int
    type: str
    booked: bool


class Schedule(msgspec.Struct, rename="camel"):
    """A provider's visits by local day; days without one are left out."""

    provider: Provider
    start_date: datetime.date
    end_date: datetime.date
    schedule: dict[str, list[ScheduledVisit]]
    total_visits: int


class Checked(msgspec.Struct):
    """Whether a time is free, and why not; never anything about whoever has it."""

    provider_id: int = msgspec.field(name="ProviderID")
    date: datetime.date = msgspec.field(name="Date")
    time: datetime.time = msgspec.field(name="Time")
    duration: int = msgspec.field(name="Duration")
    available: bool = msgspec.field(name="Available")
    reasons: list[Reason] | UnsetType = msgspec.field(name="Reasons", default=UNSET)


class SlotDetail(msgspec.Struct):
    """A free time as two moments with their offsets from UTC."""

    start: str
    end: str


class Slots(msgspec.Struct):
    """A provider's free times on one local day."""

    provider_id: int = msgspec.field(name="ProviderID")
    date: datetime.date = msgspec.field(name="Date")
    duration: int = msgspec.field(name="Duration")
    slots: list[str] = msgspec.field(name="Slots")
    count: int = msgspec.field(name="Count")
    time_zone: str = msgspec.field(name="TimeZone")
    slot_details: list[SlotDetail] = msgspec.field(name="SlotDetails")


class NextSlotTime(msgspec.Struct):
    """The seeds write the provider as text here."""

    provider_id: str = msgspec.field(name="ProviderID")
    date: datetime.date = msgspec.field(name="Date")
    time: str = msgspec.field(name="Time")


class NextSlot(msgspec.Struct):
    """The next free time; `TheNextSlot` is null when there is none in the days that were searched."""

    provider_id: int = msgspec.field(name="ProviderID")
    duration: int = msgspec.field(name="Duration")
    search_window_days: int = msgspec.field(name="SearchWindowDays")
    the_next_slot: NextSlotTime | None = msgspec.field(name="TheNextSlot")


class Opening(msgspec.Struct):
    """A free time of one of several providers."""

    provider_id: int = msgspec.field(name="ProviderID")
    date: datetime.date = msgspec.field(name="Date")
    time: str = msgspec.field(name="Time")
    start: str = msgspec.field(name="Start")
    end: str = msgspec.field(name="End")


class Openings(msgspec.Struct):
    """The free times of all providers who may do a visit type, in order of time."""

    visit_type: str = msgspec.field(name="VisitType")
    start_date: datetime.date = msgspec.field(name="StartDate")
    end_date: datetime.date = msgspec.field(name="EndDate")
    duration: int = msgspec.field(name="Duration")
    time_zone: str = msgspec.field(name="TimeZone")
    slots: list[Opening] = msgspec.field(name="Slots")
    count: int = msgspec.field(name="Count")


class NextOpening(msgspec.Struct):
    """The next free time of any provider who may do a visit type; null when there is none."""

    visit_type: str = msgspec.field(name="VisitType")
    duration: int = msgspec.field(name="Duration")
    search_window_days: int = msgspec.field(name="SearchWindowDays")
    the_next_slot: NextSlotTime | None = msgspec.field(name="TheNextSlot")
