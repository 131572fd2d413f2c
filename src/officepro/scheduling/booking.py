"""The verbs: book, hold, reschedule. Each is one unit of work that takes a time nobody else has, or says why not.

look       at the practice's diary: may the visit start then, and which room is the best one?
write      the visit under the exclusion constraints, with its history and its event
repeat     from fresh state when somebody was faster; from the second time on after taking a turn, so that
           whoever is refused is refused by something that stands
refuse     with the reasons, and with up to three times that can be booked as they stand
"""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, TypeVar

import msgspec

from officepro.access.caller import Caller
from officepro.access.once import Once
from officepro.foundation import clock
from officepro.foundation.database import Connection, Database, Unsettled
from officepro.foundation.errors import Conflict, Impossible, OfficeProError, Unavailable
from officepro.practices.setup import Setups
from officepro.scheduling.diary import Diary, Wanted, minute_of, open_diary
from officepro.scheduling.openings import Reason, Visit, choose_room, reasons, roomless_starts, start_times
from officepro.scheduling.visit_queries import ProviderTaken, RoomTaken, Times, take_turn
from officepro.scheduling.wall_clock import time_text

ATTEMPTS = 5
ALTERNATIVES_DAYS = 14  # how far ahead another time is looked for when one is refused


class SlotUnavailable(Conflict):
    """That time cannot be booked; `reasons` says why, and `alternatives` can be booked as they stand."""

    code = "slot_unavailable"


Written = TypeVar("Written")


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


class ProviderTimeOutsideVisit(Impossible):
    """The provider's time must lie inside the visit's."""

    code = "provider_time_outside_visit"


class TooMuchAtOnce(Unavailable):
    """Too many are booking the same times at once; try again in a moment."""

    code = "booking_contention"


_REFUSALS: dict[Reason, type[OfficeProError]] = {
    "past": VisitInPast,
    "too_soon": TooSoon,
    "too_far": TooFarAhead,
    "off_grid": OffGrid,
}


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """The time that is asked for, in the practice's own wall clock."""

    provider_id: int
    visit_type: str
    day: date
    minute_of_day: int
    seconds: int  # of a minute; a visit starts at a whole one
    duration: int
    provider_after: int  # minutes into the visit at which the provider's part begins
    provider_duration: int


class Place(msgspec.Struct, frozen=True):
    """A time found free, and the room that it is best to take."""

    times: Times
    room_id: int | None
    needs_room: bool


class Alternative(msgspec.Struct):
    """Another time that can be booked as it stands."""

    provider_id: int = msgspec.field(name="ProviderID")
    visit_type: str = msgspec.field(name="VisitType")
    day: date = msgspec.field(name="VisitDate")
    time: str = msgspec.field(name="VisitTime")
    duration: int = msgspec.field(name="VisitDuration")
    provider_time: str = msgspec.field(name="ProviderTime")
    provider_duration: int = msgspec.field(name="ProviderDuration")


class _Refused(Exception):
    """Inside this module: the time is not to be had."""

    def __init__(self, why: list[Reason], start: int) -> None:
        super().__init__()
        self.why = why
        self.start = start


class _Undone(Exception):
    """Inside this module: a dry run has come to its end."""

    def __init__(self, written: Any) -> None:
        super().__init__()
        self.written = written


async def take(
    database: Database,
    once: Once,
    setups: Setups,
    caller: Caller,
    appointment: Appointment,
    write: Callable[[Connection, Place], Awaitable[Written]],
    but_visit: int | None = None,
    *,
    dry_run: bool = False,
    one_statement: bool = True,
) -> Written:
    """Finds the place and lets `write` take it, again from fresh state while others are faster.

    `write` runs inside the unit of work and may end it by `once.settled`; where it may refuse after having written, it
    is not `one_statement`. A dry run does all the same, and undoes it. Raises SlotUnavailable and its like.
    """
    for attempt in range(ATTEMPTS):
        try:
            async with (
                once.single_statement() if one_statement and not (attempt or dry_run) else once.transaction() as db
            ):
                if attempt:
                    await take_turn(db, caller.practice_id)
                written = await write(db, await find_place(db, setups, caller.practice_id, appointment, but_visit))
                if dry_run:
                    raise _Undone(written)
                return written
        except _Undone as undone:
            result: Written = undone.written
            return result
        except (ProviderTaken, RoomTaken, Unsettled):
            continue
        except _Refused as refused:
            raise await _refusal(database, setups, caller, appointment, refused, but_visit) from None
    raise TooMuchAtOnce


async def find_place(
    db: Connection, setups: Setups, practice_id: int, appointment: Appointment, but_visit: int | None = None
) -> Place:
    """One round trip when the worker remembers the set-up."""
    wanted = Wanted(
        provider_ids=[appointment.provider_id],
        first=appointment.day,
        days=1,
        visit_type=appointment.visit_type,
        but_visit=but_visit,
    )
    diary = await open_diary(db, setups, practice_id, wanted)
    start = minute_of(diary.setup.zone, appointment.day, appointment.minute_of_day)
    visit = _visit(diary, appointment)
    rooms = diary.rooms()
    roomless = 0 if rooms is None else roomless_starts(diary.window, visit, rooms.values())
    why = reasons(diary.window, visit, diary.period(), diary.calendar(diary.providers[0]), start, roomless)
    if appointment.seconds and "off_grid" not in why:
        why.append("off_grid")
    if why:
        raise _Refused(why, start)
    room_id = None if rooms is None else choose_room(diary.window, visit, start, rooms)[0]
    return Place(_times(visit, start), room_id, rooms is not None)


def _visit(diary: Diary, appointment: Appointment) -> Visit:
    try:
        return diary.visit(appointment.duration, appointment.provider_after, appointment.provider_duration)
    except ValueError:
        raise ProviderTimeOutsideVisit from None


def _times(visit: Visit, start: int) -> Times:
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


async def _refusal(
    database: Database,
    setups: Setups,
    caller: Caller,
    appointment: Appointment,
    refused: _Refused,
    but_visit: int | None,
) -> OfficeProError:
    async with database.practice(caller.practice_id) as db:
        alternatives = await _alternatives(db, setups, caller.practice_id, appointment, refused.start, but_visit)
    kind = next((_REFUSALS[reason] for reason in refused.why if reason in _REFUSALS), SlotUnavailable)
    return kind(reasons=refused.why, alternatives=alternatives)


async def _alternatives(
    db: Connection,
    setups: Setups,
    practice_id: int,
    appointment: Appointment,
    start: int,
    but_visit: int | None,
) -> list[Alternative]:
    """The same provider later that day, another provider at the same time, the next opening of anyone."""
    wanted = Wanted(
        provider_ids=None,
        first=appointment.day,
        days=ALTERNATIVES_DAYS,
        visit_type=appointment.visit_type,
        but_visit=but_visit,
    )
    diary = await open_diary(db, setups, practice_id, wanted)
    visit = _visit(diary, appointment)
    rooms = diary.rooms()
    roomless = 0 if rooms is None else roomless_starts(diary.window, visit, rooms.values())
    later: list[tuple[int, int]] = []  # (start, provider) of each provider's next opening
    chosen: list[tuple[int, int]] = []
    same_time: list[tuple[int, int]] = []
    for provider in diary.providers:
        starts = start_times(diary.window, visit, diary.period(), diary.calendar(provider), roomless)
        if provider.provider_id != appointment.provider_id and start in starts:
            same_time.append((start, provider.provider_id))
        following = starts.first_from(start)
        if following is not None:
            later.append((following, provider.provider_id))
            if provider.provider_id == appointment.provider_id and _day(diary, following) == appointment.day:
                chosen.append((following, provider.provider_id))
    candidates = [*chosen, *same_time[:1], *sorted(later)]
    return [_alternative(diary, visit, appointment, *one) for one in list(dict.fromkeys(candidates))[:3]]


def _day(diary: Diary, minute: int) -> date:
    return diary.window.local_time(minute).day


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
