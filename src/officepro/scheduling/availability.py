"""Providers, and when they are free. (seeds: Providers)"""

from datetime import date, timedelta
from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter

from officepro.access.asked import TheCaller, TheDatabase
from officepro.access.caller import Caller
from officepro.access.guards import requires
from officepro.access.scopes import PROVIDERS
from officepro.foundation import clock
from officepro.foundation.answers import Listed, One, listed
from officepro.foundation.database import Database
from officepro.foundation.errors import Invalid
from officepro.foundation.parameters import Day, Duration, EndDate, PathId, StartDate, TimeOfDay, VisitTypeName
from officepro.foundation.wire import NO_NUL, LocalDate
from officepro.practices.setup import Provider, Setups
from officepro.scheduling import queries, shapes
from officepro.scheduling.diary import (
    Diary,
    TheSetups,
    UnknownProvider,
    Wanted,
    known_setup,
    minute_of,
    open_diary,
    today,
)
from officepro.scheduling.openings import Reason, StartTimes, reasons, roomless_starts, start_times
from officepro.scheduling.wall_clock import DAY_MINUTES, moment_text, time_text

LONGEST_SCHEDULE_DAYS = 366
LONGEST_SEARCH_DAYS = 365
LONGEST_OPENINGS_DAYS = 31
SEARCH_STEPS_DAYS = (7, 28, 120, 365)  # next-slot looks in growing windows and stops at the first hit

ScheduleStart = Annotated[
    LocalDate | None, QueryParameter(name="startDate", description="The first day, inclusive; today unless given.")
]
ScheduleEnd = Annotated[
    LocalDate | None,
    QueryParameter(name="endDate", description="The last day, inclusive; six days after the first unless given."),
]
MaximumDays = Annotated[
    int, QueryParameter(name="maxDays", ge=1, le=LONGEST_SEARCH_DAYS, description="How many days to search.")
]
WantedVisitType = Annotated[
    str,
    QueryParameter(name="visitType", min_length=1, max_length=100, pattern=NO_NUL, description="A visit type's name."),
]
OnlyProviders = Annotated[
    list[int] | None,
    QueryParameter(name="providerId", description="Only these providers; may be given several times."),
]
OptionalDuration = Annotated[
    int | None,
    QueryParameter(name="duration", ge=1, le=DAY_MINUTES, description="Minutes; the visit type's own unless given."),
]
FromDate = Annotated[
    LocalDate | None, QueryParameter(name="fromDate", description="The first day to search; today unless given.")
]


@get("/providers", summary="List providers")
async def list_providers(caller: TheCaller, database: TheDatabase) -> Listed[shapes.Provider]:
    """All active providers."""
    async with database.practice(caller.practice_id) as db:
        rows = await queries.providers(db, caller.practice_id)
    return listed([shapes.Provider(*row.values()) for row in rows])


@get("/providers/{provider_id:str}", summary="Get a provider")
async def get_provider(provider_id: PathId, caller: TheCaller, database: TheDatabase) -> One[shapes.Provider]:
    """One active provider."""
    return One(await _provider(database, caller, provider_id))


@get("/providers/{provider_id:str}/schedule", summary="Get a provider's scheduled visits")
async def get_schedule(
    provider_id: PathId,
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    start_date: ScheduleStart = None,
    end_date: ScheduleEnd = None,
    visit_type: VisitTypeName = None,
) -> One[shapes.Schedule]:
    """The visits within a range of at most 366 local days, by day."""
    provider = await _provider(database, caller, provider_id)
    async with database.practice(caller.practice_id) as db:
        first = start_date or today((await known_setup(db, setups, caller.practice_id)).zone, clock.now())
        last = end_date or first + timedelta(days=6)
        _check_range(first, last, LONGEST_SCHEDULE_DAYS)
        rows = await queries.schedule(db, caller.practice_id, provider_id, first, last, visit_type)
    days: dict[str, list[shapes.ScheduledVisit]] = {}
    for visit_id, local_start, minutes, kind in rows:
        visit = shapes.ScheduledVisit(visit_id, local_start.time(), minutes, kind, booked=True)
        days.setdefault(local_start.date().isoformat(), []).append(visit)
    return One(shapes.Schedule(provider, first, last, days, len(rows)))


@get("/providers/{provider_id:str}/check", summary="Check whether a time is free")
async def check(
    provider_id: PathId,
    day: Day,
    time_of_day: TimeOfDay,
    duration: Duration,
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    visit_type: VisitTypeName = None,
) -> One[shapes.Checked]:
    """`Reasons` says why not. With `visitType`, the type's buffers and a free room are asked for too."""
    diary = await _diary(database, setups, caller, provider_id, day, 1, visit_type)
    start = minute_of(diary.setup.zone, day, time_of_day.hour * 60 + time_of_day.minute)
    why = _reasons(diary, diary.providers[0], duration, start)
    if time_of_day.second and "off_grid" not in why:
        why.append("off_grid")
    checked = shapes.Checked(provider_id, day, time_of_day, duration, available=not why)
    if why:
        checked.reasons = why
    return One(checked)


@get("/providers/{provider_id:str}/slots", summary="Get a provider's free times on a day")
async def get_slots(
    provider_id: PathId,
    day: Day,
    duration: Duration,
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    visit_type: VisitTypeName = None,
) -> One[shapes.Slots]:
    """All times of the day at which a visit of this duration may start. With `visitType`, a room is free too."""
    diary = await _diary(database, setups, caller, provider_id, day, 1, visit_type)
    zone, times, details = diary.setup.zone, [], []
    starts = _starts(diary, diary.providers[0], duration, _roomless(diary, duration))
    for minute, minute_of_day in starts.by_day().get(day, ()):
        times.append(time_text(minute_of_day))
        details.append(shapes.SlotDetail(*_from_to(diary, minute, duration)))
    return One(shapes.Slots(provider_id, day, duration, times, len(times), zone, details))


@get("/providers/{provider_id:str}/next-slot", summary="Get a provider's next free time")
async def get_next_slot(
    provider_id: PathId,
    duration: Duration,
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    max_days: MaximumDays = LONGEST_SEARCH_DAYS,
    from_date: FromDate = None,
    visit_type: VisitTypeName = None,
) -> One[shapes.NextSlot]:
    """Searches `maxDays` days, the first one counted; `TheNextSlot` is null when there is none."""
    found = await _search(database, setups, caller, [provider_id], duration, from_date, max_days, visit_type)
    return One(shapes.NextSlot(provider_id, duration, max_days, found))


@get("/slots", summary="Get the free times of all providers for a visit type")
async def get_openings(
    visit_type: WantedVisitType,
    start_date: StartDate,
    end_date: EndDate,
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    provider_id: OnlyProviders = None,
    duration: OptionalDuration = None,
) -> One[shapes.Openings]:
    """Who is free when, and a room with them, over all providers who may do the type (or those of `providerId`), on at
    most 31 local days. `duration` is the visit type's own unless given."""
    _check_range(start_date, end_date, LONGEST_OPENINGS_DAYS)
    days = (end_date - start_date).days + 1
    wanted = Wanted(provider_ids=provider_id, first=start_date, days=days, visit_type=visit_type)
    async with database.practice(caller.practice_id) as db:
        diary = await open_diary(db, setups, caller.practice_id, wanted)
    minutes = duration or _own_duration(diary)
    roomless = _roomless(diary, minutes)
    found = sorted(
        (minute, provider.provider_id)
        for provider in diary.providers
        for minute in _starts(diary, provider, minutes, roomless)
    )
    openings = [_opening(diary, provider, minute, minutes) for minute, provider in found]
    zone = diary.setup.zone
    return One(shapes.Openings(visit_type, start_date, end_date, minutes, zone, openings, len(openings)))


@get("/next-slot", summary="Get the next free time of any provider for a visit type")
async def get_next_opening(
    visit_type: WantedVisitType,
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    provider_id: OnlyProviders = None,
    duration: OptionalDuration = None,
    max_days: MaximumDays = LONGEST_SEARCH_DAYS,
    from_date: FromDate = None,
) -> One[shapes.NextOpening]:
    """The earliest; of two at the same time that of the provider with the lower id. Null when there is none."""
    if duration is None:
        wanted = Wanted(provider_ids=provider_id, first=from_date, days=1, visit_type=visit_type)
        async with database.practice(caller.practice_id) as db:
            duration = _own_duration(await open_diary(db, setups, caller.practice_id, wanted))
    found = await _search(database, setups, caller, provider_id, duration, from_date, max_days, visit_type)
    return One(shapes.NextOpening(visit_type, duration, max_days, found))


def _own_duration(diary: Diary) -> int:
    assert diary.visit_type is not None
    return diary.visit_type.duration_minutes


def _opening(diary: Diary, provider_id: int, minute: int, duration: int) -> shapes.Opening:
    local = diary.window.local_time(minute)
    return shapes.Opening(provider_id, local.day, time_text(local.minute_of_day), *_from_to(diary, minute, duration))


def _from_to(diary: Diary, minute: int, duration: int) -> tuple[str, str]:
    local_time = diary.window.local_time
    return moment_text(local_time(minute)), moment_text(local_time(minute + duration))


async def _search(
    database: Database,
    setups: Setups,
    caller: Caller,
    provider_ids: list[int] | None,
    duration: int,
    first: date | None,
    days: int,
    visit_type: str | None,
) -> shapes.NextSlotTime | None:
    """The earliest free time of any of the providers; of two at the same time that of the lower id."""
    searched = 0
    for step in SEARCH_STEPS_DAYS:
        step = min(step, days) - searched
        if step <= 0:
            break
        wanted = Wanted(provider_ids=provider_ids, first=first, days=step, visit_type=visit_type)
        async with database.practice(caller.practice_id) as db:
            diary = await open_diary(db, setups, caller.practice_id, wanted)
        roomless = _roomless(diary, duration)
        firsts = [
            (_starts(diary, provider, duration, roomless).first(), provider.provider_id) for provider in diary.providers
        ]
        found = min(((minute, provider) for minute, provider in firsts if minute is not None), default=None)
        if found is not None:
            local = diary.window.local_time(found[0])
            return shapes.NextSlotTime(str(found[1]), local.day, time_text(local.minute_of_day))
        first, searched = diary.window.last + timedelta(days=1), searched + step
    return None


async def _diary(
    database: Database,
    setups: Setups,
    caller: Caller,
    provider_id: int,
    first: date,
    days: int,
    visit_type: str | None,
) -> Diary:
    wanted = Wanted(provider_ids=[provider_id], first=first, days=days, visit_type=visit_type)
    async with database.practice(caller.practice_id) as db:
        return await open_diary(db, setups, caller.practice_id, wanted)


def _starts(diary: Diary, provider: Provider, duration: int, roomless: int) -> StartTimes:
    return start_times(diary.window, diary.visit(duration), diary.period(), diary.calendar(provider), roomless)


def _reasons(diary: Diary, provider: Provider, duration: int, start: int) -> list[Reason]:
    visit = diary.visit(duration)
    calendar = diary.calendar(provider)
    return reasons(diary.window, visit, diary.period(), calendar, start, _roomless(diary, duration))


def _roomless(diary: Diary, duration: int) -> int:
    rooms = diary.rooms()
    return 0 if rooms is None else roomless_starts(diary.window, diary.visit(duration), rooms.values())


async def _provider(database: Database, caller: Caller, provider_id: int) -> shapes.Provider:
    async with database.practice(caller.practice_id) as db:
        row = await queries.provider(db, caller.practice_id, provider_id)
    if row is None:
        raise UnknownProvider
    return shapes.Provider(*row.values())


def _check_range(first: date, last: date, longest: int) -> None:
    if last < first:
        raise Invalid.at("query.endDate", "must not lie before startDate")
    if (last - first).days >= longest:
        raise Invalid.at("query.endDate", f"must lie within {longest} days of startDate")


router = Router(
    "/v1/{practicepass:str}/availability",
    guards=[requires(PROVIDERS)],
    route_handlers=[
        list_providers,
        get_provider,
        get_schedule,
        check,
        get_slots,
        get_next_slot,
        get_openings,
        get_next_opening,
    ],
    tags=["Providers"],
)
