"""Providers, and when they are free. (seeds: Providers)"""

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
SEARCH_STEPS_DAYS = (7, 28, 120, 365)  # next-slot looks in growing windows and stops at the first hit

# Why nobody's time is looked for.
OF_A_PROVIDER: list[type[OfficeProError]] = [
    UnknownProvider,
    UnknownVisitType,
    InactiveVisitType,
    ProviderNotAllowed,
    SetupKeepsChanging,
]

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
    QueryParameter(name="providerId", max_items=100, description="Only these providers; may be given several times."),
]
OptionalDuration = Annotated[
    int | None,
    QueryParameter(name="duration", ge=1, le=DAY_MINUTES, description="Minutes; the visit type's own unless given."),
]
FromDate = Annotated[
    LocalDate | None, QueryParameter(name="fromDate", description="The first day to search; today unless given.")
]


@get(
    "/providers",
    summary="List providers",
    opt=documented(example_response={"data": [examples.PROVIDER], "count": 1}),
)
async def list_providers(caller: TheCaller, database: TheDatabase) -> Listed[shapes.Provider]:
    """All active providers."""
    async with database.practice(caller.practice_id) as db:
        rows = await queries.providers(db, caller.practice_id)
    return listed([shapes.Provider(*row.values()) for row in rows])


@get(
    "/providers/{provider_id:str}",
    summary="Get a provider",
    opt=documented(path_example={"id": 1}, example_response={"data": examples.PROVIDER}, errors=[UnknownProvider]),
)
async def get_provider(provider_id: PathId, caller: TheCaller, database: TheDatabase) -> One[shapes.Provider]:
    """One active provider."""
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
    """The visits within a range of at most 366 local days, by day."""
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
    summary="Check whether a time is free",
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
    """`Reasons` says why not. With `visitType`, the type's buffers and a free room are asked for too."""

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
    summary="Get a provider's free times on a day",
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
    """All times of the day at which a visit of this duration may start. With `visitType`, a room is free too."""

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
    summary="Get a provider's next free time",
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
    """Searches `maxDays` days, the first one counted; `TheNextSlot` is null when there is none."""
    _, found = await _search(visits, setups, caller, [provider_id], duration, from_date, max_days, visit_type)
    return One(shapes.NextSlot(provider_id, duration, max_days, found))


@get(
    "/slots",
    summary="Get the free times of all providers for a visit type",
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
    """Who is free when, and a room with them, over all providers who may do the type (or those of `providerId`), on at
    most 31 local days. `duration` is the visit type's own unless given."""
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
    summary="Get the next free time of any provider for a visit type",
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
    """The earliest; of two at the same time that of the provider with the lower id. Null when there is none."""
    duration, found = await _search(visits, setups, caller, provider_id, duration, from_date, max_days, visit_type)
    return One(shapes.NextOpening(visit_type, duration, max_days, found))


def _from_to(diary: Diary, minutes: Sequence[int], duration: int) -> Iterator[tuple[str, str]]:
    """When visits at these minutes, in ascending order, start and end."""
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
    """The duration, and the earliest free time of any provider; of two at the same time that of the lower id."""
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
