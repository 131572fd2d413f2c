"""Admin routes for a provider's working time: weekly hours, time off, extra hours. (API.md: Admin endpoints)"""

from litestar import Router, delete, get, put
from litestar.params import JSONBody
from msgspec import UNSET

from officepro.access.asked import TheDatabase
from officepro.access.guards import requires_admin
from officepro.foundation.answers import Listed, Written, listed
from officepro.foundation.documented import documented
from officepro.foundation.parameters import PathId
from officepro.practices import hours, week
from officepro.practices.asked import PRACTICE_PROVIDED, ThePractice
from officepro.practices.hours import (
    MAXIMUM_EXTRA_OPENINGS,
    MAXIMUM_SPANS_OF_A_WEEK,
    MAXIMUM_TIMES_OFF,
    UnknownExtraHours,
    UnknownProvider,
    UnknownTimeOff,
)
from officepro.practices.lists import ImpossibleSetUp
from officepro.practices.queries import UnknownPractice
from officepro.practices.shapes import (
    Deleted,
    ExtraHours,
    Hours,
    PutExtraHours,
    PutHours,
    PutTimeOff,
    TimeOff,
)


@get(
    "/hours",
    summary="List a provider's weekly hours",
    opt=documented(
        path_example={"PPass": "DemoOffice", "id": 1},
        example_response={
            "data": [
                {"weekday": "Monday", "start": "09:00", "end": "17:00", "validFrom": "2026-01-01", "validUntil": None}
            ],
            "count": 1,
        },
        errors=[UnknownPractice, UnknownProvider],
    ),
)
async def list_hours(provider_id: PathId, practice: ThePractice, database: TheDatabase) -> Listed[Hours]:
    """The weekly hours, in the practice's local time."""
    async with database.practice(practice.practice_id) as db:
        return listed([Hours.of(span) for span in await hours.week_of(db, practice.practice_id, provider_id)])


@put(
    "/hours",
    summary="Replace a provider's weekly hours",
    opt=documented(
        path_example={"PPass": "DemoOffice", "id": 1},
        body_rules={"maxItems": MAXIMUM_SPANS_OF_A_WEEK},
        example_request=[
            {"weekday": "Monday", "start": "09:00", "end": "17:00", "validFrom": "2026-01-01", "validUntil": None}
        ],
        example_response={
            "message": "Hours saved successfully",
            "data": [
                {"weekday": "Monday", "start": "09:00", "end": "17:00", "validFrom": "2026-01-01", "validUntil": None}
            ],
        },
        errors=[UnknownPractice, UnknownProvider],
    ),
)
async def put_hours(
    provider_id: PathId, data: JSONBody[list[PutHours]], practice: ThePractice, database: TheDatabase
) -> Written[list[Hours]]:
    """Replaces the whole week: hours that are not in the list are deleted. Booked visits are unchanged."""
    spans = [item.span for item in data]
    async with database.practice_transaction(practice.practice_id) as db:
        now = await hours.put_week(db, practice.practice_id, provider_id, spans)
    return Written("Hours saved successfully", [Hours.of(span) for span in now])


@get(
    "/time-off",
    summary="List a provider's time off",
    opt=documented(
        path_example={"PPass": "DemoOffice", "id": 1},
        example_response={
            "data": [{"id": 12, "start": "2026-07-01T00:00:00", "end": "2026-07-15T00:00:00", "reason": "Vacation"}],
            "count": 1,
        },
        errors=[UnknownPractice, UnknownProvider],
    ),
)
async def list_times_off(provider_id: PathId, practice: ThePractice, database: TheDatabase) -> Listed[TimeOff]:
    """All time off of the provider, by start, in the practice's local time."""
    async with database.practice(practice.practice_id) as db:
        found = await hours.times_off(db, practice.practice_id, provider_id)
    return listed([TimeOff.of(one, practice.time_zone) for one in found])


@put(
    "/time-off",
    summary="Add and change a provider's time off",
    opt=documented(
        path_example={"PPass": "DemoOffice", "id": 1},
        body_rules={"maxItems": MAXIMUM_TIMES_OFF},
        example_request=[{"start": "2026-07-01T00:00:00", "end": "2026-07-15T00:00:00", "reason": "Vacation"}],
        example_response={
            "message": "Time off saved successfully",
            "data": [{"id": 12, "start": "2026-07-01T00:00:00", "end": "2026-07-15T00:00:00", "reason": "Vacation"}],
        },
        errors=[UnknownPractice, UnknownProvider, ImpossibleSetUp],
    ),
)
async def put_times_off(
    provider_id: PathId, data: JSONBody[list[PutTimeOff]], practice: ThePractice, database: TheDatabase
) -> Written[list[TimeOff]]:
    """Time off that is not in the list is unchanged. Visits booked within the time off are unchanged."""
    given = [
        hours.GivenTimeOff(item.id or None, item.start, item.end, None if item.reason is UNSET else item.reason)
        for item in data
    ]
    async with database.practice_transaction(practice.practice_id) as db:
        changed = await hours.put_times_off(db, practice.practice_id, provider_id, practice.time_zone, given)
    return Written("Time off saved successfully", [TimeOff.of(one, practice.time_zone) for one in changed])


@delete(
    "/time-off/{time_off_id:str}",
    summary="Delete time off",
    status_code=200,
    opt=documented(
        path_example={"PPass": "DemoOffice", "id": 1, "timeOffId": 12},
        example_response={"message": "Time off deleted successfully", "data": {"id": 12}},
        errors=[UnknownPractice, UnknownTimeOff],
    ),
)
async def delete_time_off(
    provider_id: PathId, time_off_id: PathId, practice: ThePractice, database: TheDatabase
) -> Written[Deleted]:
    """The provider is available again at that time, within the weekly hours."""
    async with database.practice_transaction(practice.practice_id) as db:
        await hours.remove_time_off(db, practice.practice_id, provider_id, time_off_id)
    return Written("Time off deleted successfully", Deleted(time_off_id))


@get(
    "/extra-hours",
    summary="List a provider's extra hours",
    opt=documented(
        path_example={"PPass": "DemoOffice", "id": 1},
        example_response={"data": [{"id": 7, "date": "2026-03-14", "start": "10:00", "end": "14:00"}], "count": 1},
        errors=[UnknownPractice, UnknownProvider],
    ),
)
async def list_extra_hours(provider_id: PathId, practice: ThePractice, database: TheDatabase) -> Listed[ExtraHours]:
    """All extra hours of the provider, by date."""
    async with database.practice(practice.practice_id) as db:
        found = await hours.extra_openings(db, practice.practice_id, provider_id)
    return listed([ExtraHours.of(one) for one in found])


@put(
    "/extra-hours",
    summary="Add and change a provider's extra hours",
    opt=documented(
        path_example={"PPass": "DemoOffice", "id": 1},
        body_rules={"maxItems": MAXIMUM_EXTRA_OPENINGS},
        example_request=[{"date": "2026-03-14", "start": "10:00", "end": "14:00"}],
        example_response={
            "message": "Extra hours saved successfully",
            "data": [{"id": 7, "date": "2026-03-14", "start": "10:00", "end": "14:00"}],
        },
        errors=[UnknownPractice, UnknownProvider, ImpossibleSetUp],
    ),
)
async def put_extra_hours(
    provider_id: PathId, data: JSONBody[list[PutExtraHours]], practice: ThePractice, database: TheDatabase
) -> Written[list[ExtraHours]]:
    """Hours on single days in addition to the weekly hours. Extra hours that are not in the list are unchanged."""
    given = [
        hours.GivenExtraOpening(item.id or None, item.date, item.start, week.end_of(item.start, item.end))
        for item in data
    ]
    async with database.practice_transaction(practice.practice_id) as db:
        changed = await hours.put_extra_openings(db, practice.practice_id, provider_id, given)
    return Written("Extra hours saved successfully", [ExtraHours.of(one) for one in changed])


@delete(
    "/extra-hours/{extra_hours_id:str}",
    summary="Delete extra hours",
    status_code=200,
    opt=documented(
        path_example={"PPass": "DemoOffice", "id": 1, "extraHoursId": 7},
        example_response={"message": "Extra hours deleted successfully", "data": {"id": 7}},
        errors=[UnknownPractice, UnknownExtraHours],
    ),
)
async def delete_extra_hours(
    provider_id: PathId, extra_hours_id: PathId, practice: ThePractice, database: TheDatabase
) -> Written[Deleted]:
    """Only the weekly hours apply on that day again."""
    async with database.practice_transaction(practice.practice_id) as db:
        await hours.remove_extra_opening(db, practice.practice_id, provider_id, extra_hours_id)
    return Written("Extra hours deleted successfully", Deleted(extra_hours_id))


router = Router(
    "/v1/admin/{practicepass:str}/providers/{provider_id:str}",
    guards=[requires_admin],
    dependencies=PRACTICE_PROVIDED,
    route_handlers=[
        list_hours,
        put_hours,
        list_times_off,
        put_times_off,
        delete_time_off,
        list_extra_hours,
        put_extra_hours,
        delete_extra_hours,
    ],
    tags=["Administration"],
)
