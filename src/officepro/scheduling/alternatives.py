"""Refusals of a requested time: the reasons, and up to three alternatives that can be booked as given."""

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from officepro.foundation.database import Connection
from officepro.foundation.errors import Conflict, Impossible, OfficeProError
from officepro.practices.setup import Provider, Setups
from officepro.scheduling.appointment import Appointment, Span
from officepro.scheduling.diary import Diary, Wanted, open_diary
from officepro.scheduling.openings import Reason, StartTimes, Visit
from officepro.scheduling.questions import OnConnection
from officepro.scheduling.wall_clock import time_text

ALTERNATIVES = 3
ALTERNATIVES_DAYS = 14  # search range, from the requested day on


class SlotUnavailable(Conflict):
    """This time is not available. See `reasons`; each time in `alternatives` can be booked instead."""

    code = "slot_unavailable"


class VisitInPast(Impossible):
    """The start time is in the past. Choose a later one."""

    code = "visit_in_past"


class TooSoon(Impossible):
    """The start time is earlier than the practice's minimum booking notice allows. Choose a later one."""

    code = "below_minimum_notice"


class TooFarAhead(Impossible):
    """The start time is beyond the practice's booking horizon. Choose an earlier one."""

    code = "beyond_booking_horizon"


class OffGrid(Impossible):
    """Start times must align with the practice's slot interval (e.g. every 15 minutes). GET
    /availability/providers/{id}/slots lists bookable times."""

    code = "off_grid"


_REFUSALS: dict[Reason, type[OfficeProError]] = {
    "past": VisitInPast,
    "too_soon": TooSoon,
    "too_far": TooFarAhead,
    "off_grid": OffGrid,
}
REFUSALS: list[type[OfficeProError]] = [*_REFUSALS.values(), SlotUnavailable]


class Alternative(msgspec.Struct):
    """An alternative time; it can be booked as given."""

    provider_id: int = msgspec.field(name="ProviderID")
    visit_type: str = msgspec.field(name="VisitType")
    day: date = msgspec.field(name="VisitDate")
    time: str = msgspec.field(name="VisitTime")
    duration: int = msgspec.field(name="VisitDuration")
    provider_time: str = msgspec.field(name="ProviderTime")
    provider_duration: int = msgspec.field(name="ProviderDuration")


def refusal(why: Sequence[Reason], alternatives: list[Alternative]) -> OfficeProError:
    """Return the error for these reasons.

    Violations of booking rules (422) take precedence over SlotUnavailable (409), which may resolve with time.
    """
    kind = next((_REFUSALS[reason] for reason in why if reason in _REFUSALS), SlotUnavailable)
    return kind(reasons=list(why), alternatives=alternatives)


async def alternatives_to(
    db: Connection, setups: Setups, practice_id: int, appointment: Appointment, span: Span, but_visit: int | None
) -> list[Alternative]:
    """Find up to `ALTERNATIVES` bookable times within `ALTERNATIVES_DAYS` days.

    Order: the same provider later that day, another provider at the same time, then the next times of all providers.
    `but_visit` is ignored as an obstacle: the visit that is being rescheduled.
    """
    wanted = Wanted(
        provider_ids=None,
        first=appointment.day,
        days=ALTERNATIVES_DAYS,
        visit_type=appointment.visit_type,
        longest=span.duration,
        but_visit=but_visit,
    )
    diary = await open_diary(OnConnection(db), setups, practice_id, wanted)
    visit = diary.visit(span.duration, span.provider_after, span.provider_duration)
    candidates = dict.fromkeys(_candidates(diary, appointment, span.start, diary.starts(visit)))
    return [_alternative(diary, visit, appointment, *one) for one in list(candidates)[:ALTERNATIVES]]


def _candidates(
    diary: Diary, appointment: Appointment, start: int, free: Sequence[tuple[Provider, StartTimes]]
) -> Iterator[tuple[int, int]]:
    """Yield (start minute, provider ID), best first; may repeat itself."""
    following = sorted(
        (later, provider.provider_id) for provider, starts in free if (later := starts.first_from(start)) is not None
    )
    for later, provider_id in following:
        if provider_id == appointment.provider_id and diary.window.local_time(later).day == appointment.day:
            yield later, provider_id
    yield from [(later, provider_id) for later, provider_id in following if later == start][:1]
    yield from following


def _alternative(diary: Diary, visit: Visit, appointment: Appointment, start: int, provider_id: int) -> Alternative:
    local = diary.window.local_time(start)
    provider_local = diary.window.local_time(start + visit.provider_after)
    return Alternative(
        provider_id,
        appointment.visit_type,
        local.day,
        time_text(local.minute_of_day),
        visit.duration,
        time_text(provider_local.minute_of_day),
        visit.provider_minutes,
    )
