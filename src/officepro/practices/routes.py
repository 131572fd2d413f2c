"""Admin routes for practices. (API.md: Admin endpoints)"""

from litestar import Response, Router, get, patch, post
from litestar.params import JSONBody

from officepro.access.asked import TheDatabase, TheOnce
from officepro.access.guards import requires_admin
from officepro.foundation.answers import One, Paged, Written
from officepro.foundation.documented import ETAG, documented
from officepro.foundation.etags import etag, version_of
from officepro.foundation.paging import DEFAULT_LIMIT, Page, paged
from officepro.foundation.parameters import IfMatch, PageLimit, PageNumber, PathText
from officepro.practices import queries
from officepro.practices.queries import PracticepassTaken, UnknownPractice
from officepro.practices.shapes import (
    ChangePractice,
    NewPractice,
    Practice,
    sent,
)

_DEMO_OFFICE = {
    "practicepass": "DemoOffice",
    "name": "Demo Office",
    "timezone": "America/New_York",
    "slotMinutes": 15,
    "minimumNoticeMinutes": 60,
    "bookingHorizonDays": 180,
    "active": True,
    "createdAt": "2026-03-02T14:00:00.000Z",
    "updatedAt": "2026-03-02T14:00:00.000Z",
}


@get(
    "/",
    summary="List practices",
    opt=documented(example_response={"data": [_DEMO_OFFICE], "count": 1, "page": 1, "limit": 25, "total": 1}),
)
async def list_practices(
    database: TheDatabase, page: PageNumber = 1, limit: PageLimit = DEFAULT_LIMIT
) -> Paged[Practice]:
    """All practices, by practicepass."""
    asked = Page(page, limit)
    async with database.system() as db:
        found, total = await queries.practices(db, asked)
    return paged([Practice.of(one) for one in found], asked, total)


@post(
    "/",
    summary="Create a practice",
    status_code=201,
    opt=documented(
        example_request={"practicepass": "NorthOffice", "name": "North Office", "timezone": "America/New_York"},
        example_response={
            "message": "Practice created successfully",
            "data": {**_DEMO_OFFICE, "practicepass": "NorthOffice", "name": "North Office"},
        },
        errors=[PracticepassTaken],
        answer_headers=ETAG,
    ),
)
async def create_practice(data: JSONBody[NewPractice], once: TheOnce) -> Response[Written[Practice]]:
    """The practice is created empty. Add its providers, rooms and visit types next."""
    async with once.system_transaction() as db:
        practice = await queries.establish(db, queries.NewPractice(**sent(data, timezone="time_zone")))
        answer = await once.settled(
            db, Written("Practice created successfully", Practice.of(practice)), version=practice.version
        )
    return Response(answer, headers=etag(practice.version))


@get(
    "/{practicepass:str}",
    summary="Get a practice",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        example_response={"data": _DEMO_OFFICE},
        errors=[UnknownPractice],
        answer_headers=ETAG,
    ),
)
async def get_practice(practicepass: PathText, database: TheDatabase) -> Response[One[Practice]]:
    """The ETag changes with every change to the practice configuration."""
    async with database.system() as db:
        practice = await queries.practice_named(db, practicepass)
    return Response(One(Practice.of(practice)), headers=etag(practice.version))


@patch(
    "/{practicepass:str}",
    summary="Change a practice",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        example_request={"minimumNoticeMinutes": 60, "bookingHorizonDays": 180},
        example_response={"message": "Practice updated successfully", "data": _DEMO_OFFICE},
        errors=[UnknownPractice],
    ),
)
async def change_practice(
    practicepass: PathText, data: JSONBody[ChangePractice], database: TheDatabase, if_match: IfMatch = None
) -> Response[Written[Practice]]:
    """When the time zone changes, visits and time off keep their instants; weekly hours keep their local times."""
    async with database.system_transaction() as db:
        changes = sent(data, timezone="time_zone")
        practice = await queries.change(db, practicepass, changes, version_of(if_match))
    return Response(Written("Practice updated successfully", Practice.of(practice)), headers=etag(practice.version))


router = Router(
    "/v1/admin/practices",
    guards=[requires_admin],
    route_handlers=[list_practices, create_practice, get_practice, change_practice],
    tags=["Administration"],
)
