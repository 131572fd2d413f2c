"""Providers and their availability. (Source API specification: Providers)"""

from collections.abc import Iterator, Sequence
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
from officepro.foundation.documented import documented
from officepro.foundation.errors import Invalid, OfficeProError
from officepro.foundation.parameters import Day, Duration, EndDate, PathId, StartDate, TimeOfDay, VisitTypeName
from officepro.foundation.wire import NO_NUL, LocalDate
from officepro.practices.setup import Setups
from officepro.scheduling import examples, queries, shapes
from officepro.scheduling.appointment import TimeDoesNotExist, minute_of
from officepro.scheduling.diary import (
    Diary,
    InactiveVisitType,
    ProviderNotAllowed,
    SetupKeepsChanging,
    TheSetups,
    UnknownProvider,
    UnknownVisitType,
    Wanted,
    known_setup,
    open_diary,
)
from officepro.scheduling.questions import TheVisits, Visits
from officepro.scheduling.remembered import TheRemembered
from officepro.scheduling.wall_clock import DAY_MINUTES, Clock, moment_texts, time_text

LONGEST_SCHEDULE_DAYS = 366
LONGEST_SEARCH_DAYS = 365
LONGEST_OPENINGS_DAYS = 31
SEARCH_STEPS_DAYS = (7, 28, 120, 365)  # next-slot searches growing windows and stops at the first hit

# Errors of every availability endpoint of a provider.
OF_A_PROVIDER: list[type[OfficeProError]] = [
    UnknownProvider,
    UnknownVisitType,
    InactiveVisitType,
    ProviderNotAllowed,
    SetupKeepsChanging,
]

ScheduleStart = Annotated[
    LocalDate | None, QueryParameter(name="startDate", description="First day, inclusive. Default: today.")
]
ScheduleEnd = Annotated[
    LocalDate | None,
    QueryParameter(name="endDate", description="Last day, inclusive. Default: six days after `startDate`."),
]
MaximumDays = Annotated[
    int, QueryParameter(name="maxDays", ge=1, le=LONGEST_SEARCH_DAYS, description="Number of days to search.")
]
WantedVisitType = Annotated[
    str,
    QueryParameter(name="visitType", min_length=1, max_length=100, pattern=NO_NUL, description="Visit type name."),
]
OnlyProviders = Annotated[
    list[int] | None,
    QueryParameter(name="providerId", max_items=100, description="Filter by provider; repeatable."),
]
OptionalDuration = Annotated[
    int | None,
    QueryParameter(name="duration", ge=1, le=DAY_MINUTES, description="Minutes. Default: the type's duration."),
]
FromDate = Annotated[
    LocalDate | None, QueryParameter(name="fromDate", description="First day to search. Default: today.")
]


@get(
    "/providers",
    summary="List providers",
    opt=documented(example_response={"data": [examples.PROVIDER], "count": 1}),
)
async def list_providers(caller: TheCaller, database: TheDatabase) -> Listed[shapes.Provider]:
    """Returns all active providers."""
    async with database.practice(caller.practice_id) as db:
        rows = await queries.providers(db, caller.practice_id)
    return listed([shapes.Provider(*row.values()) for row in rows])


@get(
    "/providers/{provider_id:str}",
    summary="Get a provider",
    opt=documented(path_example={"id": 1}, example_response={"data": examples.PROVIDER}, errors=[UnknownProvider]),
)
async def get_provider(provider_id: PathId, caller: TheCaller, database: TheDatabase) -> One[shapes.Provider]:
    """Returns an active provider."""
    return One(await _provider(database, caller, provider_id))


@get(
    "/providers/{provider_id:str}/schedule",
    summary="Get a provider's scheduled visits",
    opt=documented(
        path_example={"id": 1},
        query_example={"startDate": "2026-03-09", "endDate": "2026-03-15"},
        example_response={"data": examples.SCHEDULE},
        errors=[UnknownProvider],
    ),
)
async def get_schedule(
    provider_id: PathId,
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    start_date: ScheduleStart = None,
    end_date: ScheduleEnd = None,
    visit_type: VisitTypeName = None,
) -> One[shapes.Schedule]:
    """Returns the provider's visits by local day, for a range of at most 366 days."""
    provider = await _provider(database, caller, provider_id)
    async with database.practice(caller.practice_id) as db:
        wall_clock = Clock((await known_setup(db, setups, caller.practice_id)).zone)
        first = start_date or wall_clock.local(clock.now()).date()
        last = end_date or first + timedelta(days=6)
        _check_range(first, last, LONGEST_SCHEDULE_DAYS)
        begins, ends = wall_clock.day_begins(first), wall_clock.day_begins(last + timedelta(days=1))
        rows = await queries.schedule(db, caller.practice_id, provider_id, begins, ends, visit_type)
    days: dict[str, list[shapes.ScheduledVisit]] = {}
    for visit_id, starts_at, minutes, kind in rows:
        day = wall_clock.local(starts_at).date().isoformat()
        visit = shapes.ScheduledVisit(visit_id, wall_clock.time(starts_at), minutes, kind, booked=True)
        days.setdefault(day, []).append(visit)
    return One(shapes.Schedule(provider, first, last, days, len(rows)))


@get(
    "/providers/{provider_id:str}/check",
    summary="Check whether a time is available",
    opt=documented(
        path_example={"id": 1},
        query_example={"date": "2026-03-09", "time": "10:15:00", "duration": 30},
        example_response={"data": examples.CHECKED},
        errors=[*OF_A_PROVIDER, TimeDoesNotExist],
    ),
)
async def check(
    provider_id: PathId,
    day: Day,
    time_of_day: TimeOfDay,
    duration: Duration,
    caller: TheCaller,
    visits: TheVisits,
    setups: TheSetups,
    remembered: TheRemembered,
    visit_type: VisitTypeName = None,
) -> One[shapes.Checked]:
    """Returns whether the time can be booked; if not, `Reasons` lists why. With `visitType`, the type's buffers and a
    free room are checked too."""

    def checked(diary: Diary) -> One[shapes.Checked]:
        start = minute_of(diary.setup.zone, day, time_of_day.hour * 60 + time_of_day.minute)
        why = diary.refuses(diary.visit(duration), start)
        if time_of_day.second and "off_grid" not in why:
            why.append("off_grid")
        found = shapes.Checked(provider_id, day, time_of_day, duration, available=not why)
        if why:
            found.reasons = why
        return One(found)

    wanted = Wanted(
        provider_ids=[provider_id],
        first=day,
        days=1,
        visit_type=visit_type,
        longest=duration,
        minute_of_day=time_of_day.hour * 60 + time_of_day.minute,
    )
    question = ("check", provider_id, day, time_of_day, duration, visit_type)
    return await remembered.answer(visits, setups, caller.practice_id, wanted, checked, *question)


@get(
    "/providers/{provider_id:str}/slots",
    summary="Get a provider's available slots on a day",
    opt=documented(
        path_example={"id": 1},
        query_example={"date": "2026-03-09", "duration": 30},
        example_response={"data": examples.SLOTS},
        errors=OF_A_PROVIDER,
    ),
)
async def get_slots(
    provider_id: PathId,
    day: Day,
    duration: Duration,
    caller: TheCaller,
    visits: TheVisits,
    setups: TheSetups,
    remembered: TheRemembered,
    visit_type: VisitTypeName = None,
) -> One[shapes.Slots]:
    """Returns all times of the day at which a visit of this duration can start. With `visitType`, a room must be
    free too."""

    def slots(diary: Diary) -> One[shapes.Slots]:
        ((_, starts),) = diary.starts(diary.visit(duration))
        details = [shapes.SlotDetail(*both) for both in _from_to(diary, list(starts), duration)]
        times = [detail.start[11:19] for detail in details]
        return One(shapes.Slots(provider_id, day, duration, times, len(times), diary.setup.zone, details))

    wanted = Wanted(provider_ids=[provider_id], first=day, days=1, visit_type=visit_type, longest=duration)
    question = ("slots", provider_id, day, duration, visit_type)
    return await remembered.answer(visits, setups, caller.practice_id, wanted, slots, *question)


@get(
    "/providers/{provider_id:str}/next-slot",
    summary="Get a provider's next available slot",
    opt=documented(
        path_example={"id": 1},
        query_example={"duration": 30, "maxDays": 30},
        example_response={"data": examples.NEXT_SLOT},
        errors=OF_A_PROVIDER,
    ),
)
async def get_next_slot(
    provider_id: PathId,
    duration: Duration,
    caller: TheCaller,
    visits: TheVisits,
    setups: TheSetups,
    max_days: MaximumDays = LONGEST_SEARCH_DAYS,
    from_date: FromDate = None,
    visit_type: VisitTypeName = None,
) -> One[shapes.NextSlot]:
    """Searches `maxDays` days, including the first. `TheNextSlot` is null if there is none."""
    _, found = await _search(visits, setups, caller, [provider_id], duration, from_date, max_days, visit_type)
    return One(shapes.NextSlot(provider_id, duration, max_days, found))


@get(
    "/slots",
    summary="Get the available slots of all providers for a visit type",
    opt=documented(
        query_example={"visitType": "Consult", "startDate": "2026-03-09", "endDate": "2026-03-15"},
        example_response={"data": examples.OPENINGS},
        errors=OF_A_PROVIDER,
    ),
)
async def get_openings(
    visit_type: WantedVisitType,
    start_date: StartDate,
    end_date: EndDate,
    caller: TheCaller,
    visits: TheVisits,
    setups: TheSetups,
    remembered: TheRemembered,
    provider_id: OnlyProviders = None,
    duration: OptionalDuration = None,
) -> One[shapes.Openings]:
    """Returns the slots of all providers allowed for the visit type (or those of `providerId`) at which a room is free
    too, for at most 31 local days."""
    _check_range(start_date, end_date, LONGEST_OPENINGS_DAYS)

    def openings(diary: Diary) -> One[shapes.Openings]:
        minutes = duration or diary.own_duration
        found = sorted(
            (minute, provider.provider_id)
            for provider, starts in diary.starts(diary.visit(minutes))
            for minute in starts
        )
        times = _from_to(diary, [minute for minute, _ in found], minutes)
        listed = [
            shapes.Opening(provider_id, date.fromisoformat(starts[:10]), starts[11:19], starts, ends)
            for (_, provider_id), (starts, ends) in zip(found, times, strict=True)
        ]
        zone = diary.setup.zone
        return One(shapes.Openings(visit_type, start_date, end_date, minutes, zone, listed, len(listed)))

    days = (end_date - start_date).days + 1
    wanted = Wanted(provider_ids=provider_id, first=start_date, days=days, visit_type=visit_type)
    question = ("openings", visit_type, start_date, end_date, duration, *(provider_id or ()))
    return await remembered.answer(visits, setups, caller.practice_id, wanted, openings, *question)


@get(
    "/next-slot",
    summary="Get the next available slot of any provider for a visit type",
    opt=documented(
        query_example={"visitType": "Consult", "maxDays": 30},
        example_response={"data": examples.NEXT_OPENING},
        errors=OF_A_PROVIDER,
    ),
)
async def get_next_opening(
    visit_type: WantedVisitType,
    caller: TheCaller,
    visits: TheVisits,
    setups: TheSetups,
    provider_id: OnlyProviders = None,
    duration: OptionalDuration = None,
    max_days: MaximumDays = LONGEST_SEARCH_DAYS,
    from_date: FromDate = None,
) -> One[shapes.NextOpening]:
    """Returns the earliest slot; at equal times, that of the provider with the lower ID. `TheNextSlot` is null if there
    is none."""
    duration, found = await _search(visits, setups, caller, provider_id, duration, from_date, max_days, visit_type)
    return One(shapes.NextOpening(visit_type, duration, max_days, found))


def _from_to(diary: Diary, minutes: Sequence[int], duration: int) -> Iterator[tuple[str, str]]:
    """Format start and end of visits that start at these epoch minutes (ascending)."""
    stretches = diary.window.stretches
    starts = moment_texts(stretches, minutes)
    return zip(starts, moment_texts(stretches, [minute + duration for minute in minutes]), strict=True)


async def _search(
    visits: Visits,
    setups: Setups,
    caller: Caller,
    provider_ids: list[int] | None,
    duration: int | None,
    first: date | None,
    days: int,
    visit_type: str | None,
) -> tuple[int, shapes.NextSlotTime | None]:
    """Return the duration used and the earliest free time, or None. At equal times the lower provider ID wins."""
    searched = 0
    while True:
        step = next(step for step in SEARCH_STEPS_DAYS if step > searched) - searched
        step = min(step, days - searched)
        wanted = Wanted(provider_ids=provider_ids, first=first, days=step, visit_type=visit_type)
        diary = await open_diary(visits, setups, caller.practice_id, wanted)
        duration = duration or diary.own_duration
        firsts = [(starts.first(), provider.provider_id) for provider, starts in diary.starts(diary.visit(duration))]
        found = min(((minute, provider) for minute, provider in firsts if minute is not None), default=None)
        if found is not None:
            local = diary.window.local_time(found[0])
            return duration, shapes.NextSlotTime(str(found[1]), local.day, time_text(local.minute_of_day))
        first, searched = diary.window.last + timedelta(days=1), searched + step
        if searched == days:
            return duration, None


async def _provider(database: Database, caller: Caller, provider_id: int) -> shapes.Provider:
    async with database.practice(caller.practice_id) as db:
        row = await queries.provider(db, caller.practice_id, provider_id)
    if row is None:
        raise UnknownProvider
    return shapes.Provider(*row.values())


def _check_range(first: date, last: date, longest: int) -> None:
    if last < first:
        raise Invalid.at("query.endDate", "must not be before startDate")
    if (last - first).days >= longest:
        raise Invalid.at("query.endDate", f"must be within {longest} days of startDate")


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
