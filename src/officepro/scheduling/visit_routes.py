"""Routes that read visit types and visits; booking_routes.py and move_routes.py have the writes.

(Source API specification: Visit Scheduling)
"""

from datetime import timedelta
from typing import Annotated

from litestar import Response, Router, get
from litestar.params import QueryParameter

from officepro.access.asked import TheCaller, TheDatabase
from officepro.access.guards import requires
from officepro.access.scopes import SCHEDULING
from officepro.activity.asked import TheDisclosures
from officepro.foundation.answers import Listed, One, Paged, listed
from officepro.foundation.documented import ETAG, documented
from officepro.foundation.errors import Invalid
from officepro.foundation.etags import etag
from officepro.foundation.paging import DEFAULT_LIMIT, MAXIMUM_TOTAL, Page, paged
from officepro.foundation.parameters import PageLimit, PageNumber, PathId
from officepro.foundation.wire import MAXIMUM_ID, LocalDate
from officepro.scheduling import examples, visit_queries
from officepro.scheduling import visit_shapes as shapes
from officepro.scheduling.booking_routes import book_visit, hold_time, release_hold
from officepro.scheduling.diary import TheSetups
from officepro.scheduling.move_routes import cancel_visit, move_visit
from officepro.scheduling.visit_answers import clock_of, visit_of, whole_visit
from officepro.scheduling.visit_queries import Filter, UnknownVisit

IncludeInactive = Annotated[bool, QueryParameter(name="includeInactive", description="Include inactive visit types.")]
FirstDay = Annotated[LocalDate | None, QueryParameter(name="startDate", description="First day, inclusive.")]
LastDay = Annotated[LocalDate | None, QueryParameter(name="endDate", description="Last day, inclusive.")]
OfProvider = Annotated[int | None, QueryParameter(name="providerId", ge=1, le=MAXIMUM_ID)]
OfPatient = Annotated[int | None, QueryParameter(name="patientId", ge=1, le=MAXIMUM_ID)]
OfStatus = Annotated[shapes.Status | None, QueryParameter(name="status", description="Filter by status.")]


@get(
    "/visit-types",
    summary="List visit types",
    opt=documented(example_response={"data": [examples.VISIT_TYPE], "count": 1}),
)
async def list_visit_types(
    caller: TheCaller, database: TheDatabase, include_inactive: IncludeInactive = False
) -> Listed[shapes.VisitType]:
    """Returns the practice's visit types with the providers and resources (rooms) allowed for each."""
    async with database.practice(caller.practice_id) as db:
        rows = await visit_queries.visit_types(db, caller.practice_id, include_inactive=include_inactive)
    return listed([shapes.VisitType(*row.values()) for row in rows])


@get(
    "/visits",
    summary="List visits",
    opt=documented(
        query_example={"startDate": "2026-03-09", "endDate": "2026-03-15", "status": "Booked"},
        example_response={"data": [examples.VISIT], "count": 1, "page": 1, "limit": 25, "total": 1},
    ),
)
async def list_visits(
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    disclosures: TheDisclosures,
    start_date: FirstDay = None,
    end_date: LastDay = None,
    provider_id: OfProvider = None,
    patient_id: OfPatient = None,
    status: OfStatus = None,
    page: PageNumber = 1,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Paged[shapes.Visit]:
    """Returns visits in order of time. `total` counts up to 10,000; narrow the date range to reach more visits."""
    if page * limit > MAXIMUM_TOTAL:
        raise Invalid.at("query.page", f"must not go beyond {MAXIMUM_TOTAL} records; narrow the date range instead")
    if start_date and end_date and end_date < start_date:
        raise Invalid.at("query.endDate", "must not be before startDate")
    async with database.practice(caller.practice_id) as db:
        clock = await clock_of(db, setups, caller.practice_id)
        wanted = Filter(
            begins=clock.day_begins(start_date) if start_date else None,
            ends=clock.day_begins(end_date + timedelta(days=1)) if end_date else None,
            provider_id=provider_id,
            patient_id=patient_id,
            status=status and status.lower(),
        )
        rows, total = await visit_queries.some(db, caller.practice_id, wanted, Page(page, limit))
    await disclosures.record(*(row["patient_id"] for row in rows))
    return paged([visit_of(row, clock) for row in rows], Page(page, limit), total)


@get(
    "/visits/{visit_id:str}",
    summary="Get a visit",
    opt=documented(
        path_example={"id": 555},
        example_response={"data": {**examples.VISIT, "History": examples.HISTORY}},
        errors=[UnknownVisit],
        answer_headers=ETAG,
    ),
)
async def get_visit(
    visit_id: PathId, caller: TheCaller, database: TheDatabase, setups: TheSetups, disclosures: TheDisclosures
) -> Response[One[shapes.Visit]]:
    """Returns the visit with its history."""
    async with database.practice(caller.practice_id) as db:
        row, visit = await whole_visit(db, setups, caller.practice_id, visit_id)
    await disclosures.record(visit.patient_id)
    return Response(One(visit), headers=etag(row["version"]))


router = Router(
    "/v1/{practicepass:str}",
    guards=[requires(SCHEDULING)],
    route_handlers=[
        list_visit_types,
        book_visit,
        hold_time,
        release_hold,
        list_visits,
        get_visit,
        move_visit,
        cancel_visit,
    ],
    tags=["Visit Scheduling"],
)
