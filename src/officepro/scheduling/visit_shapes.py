"""Request and response schemas of visit types and visits. (Source API specification: Visit Scheduling)"""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.wire import (
    NO_NUL,
    SOME_TEXT,
    DurationMinutes,
    Label,
    LocalDate,
    LocalTime,
    RecordId,
    Text10000,
)

DEFAULT_HOLD_SECONDS = 300
LONGEST_HOLD_SECONDS = 900

Complaint = Annotated[str, Meta(max_length=1000, pattern=NO_NUL)]
CancelReason = Annotated[str, Meta(min_length=1, max_length=500, pattern=SOME_TEXT)]
HoldSeconds = Annotated[int, Meta(ge=1, le=LONGEST_HOLD_SECONDS)]
Status = Literal["Held", "Booked", "Cancelled", "Completed", "NoShow"]


class VisitType(msgspec.Struct):
    """A type of visit with the providers and resources (rooms) allowed for it."""

    visit_type: str = msgspec.field(name="VisitType")
    active: bool = msgspec.field(name="Active")
    providers: list[int] = msgspec.field(name="Providers")
    resources: list[int] = msgspec.field(name="Resources")


class AskedTime(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A requested time. By default the provider's time is the whole visit."""

    provider_id: RecordId = msgspec.field(name="ProviderID")
    visit_type: Label = msgspec.field(name="VisitType")
    visit_date: LocalDate = msgspec.field(name="VisitDate")
    visit_time: LocalTime = msgspec.field(name="VisitTime")
    visit_duration: DurationMinutes = msgspec.field(name="VisitDuration")
    provider_time: LocalTime | UnsetType = msgspec.field(name="ProviderTime", default=UNSET)
    provider_duration: DurationMinutes | UnsetType = msgspec.field(name="ProviderDuration", default=UNSET)


class BookVisit(AskedTime, kw_only=True, forbid_unknown_fields=True):
    """A visit to book. With `HoldID`, the hold is converted into the visit."""

    patient_id: RecordId = msgspec.field(name="PatientID")
    complaint: Complaint | None = msgspec.field(name="VisitComplaint", default=None)
    notes: Text10000 | None = msgspec.field(name="VisitNotes", default=None)
    hold_id: RecordId | UnsetType = msgspec.field(name="HoldID", default=UNSET)


class HoldTime(AskedTime, kw_only=True, forbid_unknown_fields=True):
    """A time to hold for `ttlSeconds`."""

    ttl_seconds: HoldSeconds = msgspec.field(name="ttlSeconds", default=DEFAULT_HOLD_SECONDS)


class MoveVisit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Fields to change; omitted fields are unchanged."""

    provider_id: RecordId | UnsetType = msgspec.field(name="ProviderID", default=UNSET)
    visit_type: Label | UnsetType = msgspec.field(name="VisitType", default=UNSET)
    visit_date: LocalDate | UnsetType = msgspec.field(name="VisitDate", default=UNSET)
    visit_time: LocalTime | UnsetType = msgspec.field(name="VisitTime", default=UNSET)
    visit_duration: DurationMinutes | UnsetType = msgspec.field(name="VisitDuration", default=UNSET)
    provider_time: LocalTime | UnsetType = msgspec.field(name="ProviderTime", default=UNSET)
    provider_duration: DurationMinutes | UnsetType = msgspec.field(name="ProviderDuration", default=UNSET)
    complaint: Complaint | UnsetType | None = msgspec.field(name="VisitComplaint", default=UNSET)
    notes: Text10000 | UnsetType | None = msgspec.field(name="VisitNotes", default=UNSET)

    def asks_for_a_time(self) -> bool:
        """Return whether fields other than complaint and notes were sent, so that the visit needs a time."""
        sent = {name for name in self.__struct_fields__ if getattr(self, name) is not UNSET}
        return bool(sent - {"complaint", "notes"})


class CancelVisit(msgspec.Struct, forbid_unknown_fields=True):
    """The reason of a cancellation."""

    reason: CancelReason = msgspec.field(name="Reason")


class BookedVisit(msgspec.Struct):
    """A booked visit. `VisitID` is null after a dry run."""

    visit_id: int | None = msgspec.field(name="VisitID")
    patient_id: int = msgspec.field(name="PatientID")
    provider_id: int = msgspec.field(name="ProviderID")
    visit_type: str = msgspec.field(name="VisitType")
    visit_date: date = msgspec.field(name="VisitDate")
    visit_time: str = msgspec.field(name="VisitTime")
    visit_duration: int = msgspec.field(name="VisitDuration")
    provider_time: str = msgspec.field(name="ProviderTime")
    provider_duration: int = msgspec.field(name="ProviderDuration")
    room_id: int | None = msgspec.field(name="RoomID")


class HeldTime(msgspec.Struct):
    """A hold, active until `HeldUntil`."""

    hold_id: int = msgspec.field(name="HoldID")
    provider_id: int = msgspec.field(name="ProviderID")
    visit_type: str = msgspec.field(name="VisitType")
    visit_date: date = msgspec.field(name="VisitDate")
    visit_time: str = msgspec.field(name="VisitTime")
    visit_duration: int = msgspec.field(name="VisitDuration")
    provider_time: str = msgspec.field(name="ProviderTime")
    provider_duration: int = msgspec.field(name="ProviderDuration")
    room_id: int | None = msgspec.field(name="RoomID")
    held_until: datetime = msgspec.field(name="HeldUntil")


class ReleasedHold(msgspec.Struct):
    """A released hold."""

    hold_id: int = msgspec.field(name="HoldID")


class StatusChange(msgspec.Struct):
    """A change of a visit's status or start. `KeyID` is null if the practice made it."""

    at: datetime = msgspec.field(name="At")
    by_key: int | None = msgspec.field(name="KeyID")
    from_status: Status | None = msgspec.field(name="From")
    to_status: Status = msgspec.field(name="To")
    from_start: str | None = msgspec.field(name="FromStart")
    to_start: str = msgspec.field(name="ToStart")
    reason: str | None = msgspec.field(name="Reason")


class Visit(msgspec.Struct, kw_only=True):
    """A visit. Lists omit `History`; `PatientID` is null for a hold."""

    visit_id: int = msgspec.field(name="VisitID")
    patient_id: int | None = msgspec.field(name="PatientID")
    provider_id: int = msgspec.field(name="ProviderID")
    visit_type: str = msgspec.field(name="VisitType")
    visit_date: date = msgspec.field(name="VisitDate")
    visit_time: str = msgspec.field(name="VisitTime")
    visit_duration: int = msgspec.field(name="VisitDuration")
    provider_time: str = msgspec.field(name="ProviderTime")
    provider_duration: int = msgspec.field(name="ProviderDuration")
    room_id: int | None = msgspec.field(name="RoomID")
    complaint: str | None = msgspec.field(name="VisitComplaint")
    notes: str | None = msgspec.field(name="VisitNotes")
    status: Status = msgspec.field(name="Status")
    cancel_reason: str | None = msgspec.field(name="CancelReason")
    time_zone: str = msgspec.field(name="TimeZone")
    start: str = msgspec.field(name="Start")
    end: str = msgspec.field(name="End")
    created_at: datetime = msgspec.field(name="CreatedAt")
    updated_at: datetime = msgspec.field(name="UpdatedAt")
    history: list[StatusChange] | UnsetType = msgspec.field(name="History", default=UNSET)
