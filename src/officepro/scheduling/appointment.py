"""Requested appointment times: in the practice's local time as the caller sent them, and converted to minutes."""

from datetime import date

import msgspec

from officepro.foundation import clock
from officepro.foundation.errors import Impossible
from officepro.scheduling.openings import Visit
from officepro.scheduling.visit_writes import Times
from officepro.scheduling.wall_clock import NonexistentTime, next_showing, resolve


class TimeDoesNotExist(Impossible):
    """This local time does not exist because of the daylight-saving change. Choose another one."""

    code = "nonexistent_time"


class ProviderTimeOutsideVisit(Impossible):
    """The provider's time must lie within the visit. Check ProviderTime and ProviderDuration."""

    code = "provider_time_outside_visit"


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """A requested appointment, not validated yet."""

    provider_id: int
    visit_type: str
    day: date
    minute_of_day: int
    seconds: int  # second of the minute; only 0 is bookable
    duration: int
    provider_after: int = 0  # minutes into the visit at which the provider's part begins ...
    provider_minute_of_day: int | None = None  # ... unless given as a local time
    provider_duration: int | None = None  # None: to the end of the visit


class Span(msgspec.Struct, frozen=True):
    """An appointment in minutes: `start` counts from 1970 (UTC), `provider_after` from the start of the visit."""

    start: int
    duration: int
    provider_after: int
    provider_duration: int


def span_of(zone: str, appointment: Appointment) -> Span:
    """Convert an appointment to minutes. Raises TimeDoesNotExist, ProviderTimeOutsideVisit.

    The provider's local time is resolved to its first occurrence from the start of the visit on, so that it is
    unambiguous across midnight and daylight-saving changes.
    """
    start = minute_of(zone, appointment.day, appointment.minute_of_day)
    after = appointment.provider_after
    if appointment.provider_minute_of_day is not None:
        after = next_showing(zone, start, appointment.provider_minute_of_day) - start
    rest = appointment.duration - after
    part = rest if appointment.provider_duration is None else appointment.provider_duration
    if not 1 <= part <= rest:
        raise ProviderTimeOutsideVisit
    return Span(start, appointment.duration, after, part)


def minute_of(zone: str, day: date, minute_of_day: int) -> int:
    """Return the epoch minute of a local time, the first one where it occurs twice. Raises TimeDoesNotExist."""
    try:
        return resolve(zone, day, minute_of_day)
    except NonexistentTime:
        raise TimeDoesNotExist from None


def times_of(visit: Visit, start: int) -> Times:
    """Return the timestamps of a visit that starts at this epoch minute."""
    provider_starts = start + visit.provider_after
    provider_ends = provider_starts + visit.provider_minutes
    minutes = (
        start,
        start + visit.duration,
        provider_starts,
        provider_ends,
        provider_starts - visit.buffer_before,
        provider_ends + visit.buffer_after,
    )
    return Times(*(clock.from_seconds(minute * 60) for minute in minutes))
