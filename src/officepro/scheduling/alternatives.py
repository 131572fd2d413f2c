"""What is said to whoever cannot have a time: why, and up to three others that can be booked as they stand."""

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
ALTERNATIVES_DAYS = 14  # how far ahead another time is looked for


class SlotUnavailable(Conflict):
    """That time cannot be booked; `reasons` says why, and `alternatives` can be booked as they stand."""

    code = "slot_unavailable"


class VisitInPast(Impossible):
    """That time has passed."""

    code = "visit_in_past"


class TooSoon(Impossible):
    """That is sooner than the practice's minimum notice allows."""

    code = "below_minimum_notice"


class TooFarAhead(Impossible):
    """That is further ahead than the practice takes bookings."""

    code = "beyond_booking_horizon"


class OffGrid(Impossible):
    """Visits start on the practice's grid of times; GET /availability/providers/{id}/slots lists them."""

    code = "off_grid"


_REFUSALS: dict[Reason, type[OfficeProError]] = {
    "past": VisitInPast,
    "too_soon": TooSoon,
    "too_far": TooFarAhead,
    "off_grid": OffGrid,
}
REFUSALS: list[type[OfficeProError]] = [*_REFUSALS.values(), SlotUnavailable]


class Alternative(msgspec.Struct):
    """Another time that can be booked as it stands."""

    provider_id: int = msgspec.field(name="ProviderID")
    visit_type: str = msgspec.field(name="VisitType")
    day: date = msgspec.field(name="VisitDate")
    time: str = msgspec.field(name="VisitTime")
    duration: int = msgspec.field(name="VisitDuration")
    provider_time: str = msgspec.field(name="ProviderTime")
    provider_duration: int = msgspec.field(name="ProviderDuration")


def refusal(why: Sequence[Reason], alternatives: list[Alternative]) -> OfficeProError:
    """The rule that was broken for good comes before what may be otherwise in an hour."""
    kind = next((_REFUSALS[reason] for reason in why if reason in _REFUSALS), SlotUnavailable)
    return kind(reasons=list(why), alternatives=alternatives)


async def alternatives_to(
    db: Connection, setups: Setups, practice_id: int, appointment: Appointment, span: Span, but_visit: int | None
) -> list[Alternative]:
    """The same provider later that day, another provider at the same time, the next openings of all."""
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
    """(start, provider), the best first."""
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
