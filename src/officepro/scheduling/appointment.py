"""The time that is asked for: as a caller tells it by the practice's wall clock, and what that means in minutes."""

from datetime import date

import msgspec

from officepro.foundation import clock
from officepro.foundation.errors import Impossible
from officepro.scheduling.openings import Visit
from officepro.scheduling.visit_writes import Times
from officepro.scheduling.wall_clock import NonexistentTime, next_showing, resolve


class TimeDoesNotExist(Impossible):
    """The practice's clocks skip this local time when they go forward; choose another one."""

    code = "nonexistent_time"


class ProviderTimeOutsideVisit(Impossible):
    """The provider's time must lie inside the visit's."""

    code = "provider_time_outside_visit"


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """As it is told; nothing of it is checked yet."""

    provider_id: int
    visit_type: str
    day: date
    minute_of_day: int
    seconds: int  # of a minute; a visit starts at a whole one
    duration: int
    provider_after: int = 0  # minutes into the visit at which the provider's part begins ...
    provider_minute_of_day: int | None = None  # ... unless the wall clock's time is told
    provider_duration: int | None = None  # None: to the end of the visit


class Span(msgspec.Struct, frozen=True):
    """The same in minutes: the visit's first one since 1970, and the provider's part within it."""

    start: int
    duration: int
    provider_after: int
    provider_duration: int


def span_of(zone: str, appointment: Appointment) -> Span:
    """Raises TimeDoesNotExist, ProviderTimeOutsideVisit.

    The provider's time is the first one from the visit's start that the wall clock shows, so that it means the same
    minute over midnight and in the nights in which clocks change.
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
    """The minute of a local time, the first of two. Raises TimeDoesNotExist."""
    try:
        return resolve(zone, day, minute_of_day)
    except NonexistentTime:
        raise TimeDoesNotExist from None


def times_of(visit: Visit, start: int) -> Times:
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
