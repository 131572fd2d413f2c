"""Conversion of request bodies to appointments."""

from datetime import time, timedelta

from msgspec import UNSET, UnsetType

from officepro.foundation.database import Row
from officepro.foundation.errors import Invalid
from officepro.foundation.wire import LocalTime
from officepro.scheduling import visit_shapes as shapes
from officepro.scheduling.appointment import Appointment, span_of, times_of
from officepro.scheduling.openings import Visit
from officepro.scheduling.visit_answers import minutes_between
from officepro.scheduling.wall_clock import Clock


def appointment_of(data: shapes.AskedTime) -> Appointment:
    """Convert a booking or hold request. Raises Invalid for a ProviderTime with other seconds than VisitTime."""
    return Appointment(
        provider_id=data.provider_id,
        visit_type=data.visit_type,
        day=data.visit_date,
        minute_of_day=_minutes(data.visit_time),
        seconds=data.visit_time.second,
        duration=data.visit_duration,
        provider_minute_of_day=_provider_minutes(data.provider_time, data.visit_time.second),
        provider_duration=None if data.provider_duration is UNSET else data.provider_duration,
    )


def moved(row: Row, data: shapes.MoveVisit, clock: Clock) -> Appointment:
    """Apply a reschedule request to a visit. A provider part that ends with the visit continues to. Raises Invalid."""
    had = clock.local(row["starts_at"])
    if had.fold and data.visit_time is UNSET:
        raise Invalid.at("body.VisitTime", "is required: this visit is in the repeated hour of a clock change")
    starts = had.time() if data.visit_time is UNSET else data.visit_time
    reached_the_end = row["provider_ends_at"] == row["ends_at"]
    kept = None if reached_the_end else minutes_between(row, "provider_starts_at", "provider_ends_at")
    return Appointment(
        provider_id=row["provider_id"] if data.provider_id is UNSET else data.provider_id,
        visit_type=row["visit_type"] if data.visit_type is UNSET else data.visit_type,
        day=had.date() if data.visit_date is UNSET else data.visit_date,
        minute_of_day=_minutes(starts),
        seconds=starts.second,
        duration=minutes_between(row, "starts_at", "ends_at") if data.visit_duration is UNSET else data.visit_duration,
        provider_after=minutes_between(row, "starts_at", "provider_starts_at"),
        provider_minute_of_day=_provider_minutes(data.provider_time, starts.second),
        provider_duration=kept if data.provider_duration is UNSET else data.provider_duration,
    )


def _provider_minutes(provider_time: LocalTime | UnsetType, seconds: int) -> int | None:
    if provider_time is UNSET:
        return None
    if provider_time.second != seconds:
        raise Invalid.at("body.ProviderTime", "must be a whole number of minutes after VisitTime")
    return _minutes(provider_time)


def is_at(row: Row, appointment: Appointment, clock: Clock) -> bool:
    """Return whether the visit already has this time, provider and visit type."""
    span = span_of(clock.zone, appointment)
    times = times_of(Visit(span.duration, span.provider_after, span.provider_duration), span.start)
    asked = times.starts_at, times.ends_at, times.provider_starts_at, times.provider_ends_at
    had = tuple(row[name] for name in ("starts_at", "ends_at", "provider_starts_at", "provider_ends_at"))
    return tuple(moment + timedelta(seconds=appointment.seconds) for moment in asked) == had and (
        appointment.provider_id,
        appointment.visit_type,
    ) == (row["provider_id"], row["visit_type"])


def _minutes(local: time) -> int:
    return local.hour * 60 + local.minute
