"""Admin endpoints of usage statistics and the request log. (Source API specification: Dashboard Overview, Recent
Activity)"""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from litestar import Router, get
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase
from officepro.access.guards import requires_admin
from officepro.activity import queries
from officepro.activity.cursors import cursor_of, place_of
from officepro.activity.figures import average_milliseconds, percentile_milliseconds, success_rate
from officepro.activity.queries import Figures, Filter
from officepro.activity.shapes import Activity, Overview, Stretch, UsageOfDay, UsageOfEndpoint
from officepro.foundation.answers import One
from officepro.foundation.clock import now
from officepro.foundation.database import Connection, Row
from officepro.foundation.documented import documented
from officepro.foundation.errors import Invalid
from officepro.foundation.wire import END, MAXIMUM_ID, NO_NUL, Moment
from officepro.practices.queries import UnknownPractice, practice_named

DEFAULT_DAYS, MAXIMUM_DAYS = 7, 90
TOP_ENDPOINTS = 10
DEFAULT_ROWS, MAXIMUM_ROWS = 50, 200

OfPractice = Annotated[
    str | None, QueryParameter(name="practicepass", max_length=64, description="Filter by practice.")
]
OfPartner = Annotated[
    int | None, QueryParameter(name="partnerId", ge=1, le=MAXIMUM_ID, description="Filter by partner.")
]
OfKey = Annotated[int | None, QueryParameter(name="keyId", ge=1, le=MAXIMUM_ID, description="Filter by key.")]
Days = Annotated[
    int, QueryParameter(name="days", ge=1, le=MAXIMUM_DAYS, description="Number of UTC days, including today.")
]
OfMethod = Annotated[
    Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None,
    QueryParameter(name="method", description="Filter by method."),
]
OfEndpoint = Annotated[
    str | None,
    QueryParameter(
        name="endpoint",
        max_length=200,
        pattern=NO_NUL,
        description="Filter by route template, as returned in `endpoint`.",
    ),
]
OfStatus = Annotated[
    str | None,
    QueryParameter(
        name="status",
        pattern=rf"^[1-5]([0-9]{{2}}|xx){END}",
        description="Filter by a status such as 404, or a class such as 4xx.",
    ),
]
From = Annotated[Moment | None, QueryParameter(name="from", description="Start, inclusive.")]
To = Annotated[Moment | None, QueryParameter(name="to", description="End, exclusive.")]
Rows = Annotated[int, QueryParameter(name="limit", ge=1, le=MAXIMUM_ROWS, description="Rows per page.")]
Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", min_length=1, max_length=100, description="`nextCursor` of the previous page."),
]

_OVERVIEW = {
    "totalCalls": 1250,
    "successRate": 99.2,
    "avgDurationMs": 3.41,
    "p50DurationMs": 2.7,
    "p95DurationMs": 8.9,
    "p99DurationMs": 14.2,
    "errorCount": 10,
    "callerErrors": 10,
    "ownErrors": 0,
    "usage": [{"date": "2026-03-09", "calls": 1250, "errors": 10}],
    "topEndpoints": [
        {
            "method": "GET",
            "endpoint": "/v1/{PPass}/availability/providers/{id}/slots",
            "calls": 812,
            "errors": 2,
            "avgDurationMs": 2.9,
        }
    ],
}
_CALL = {
    "time": "2026-03-09T14:15:00.120Z",
    "method": "GET",
    "endpoint": "/v1/{PPass}/prospects/{id}",
    "status": 200,
    "durationMs": 3.1,
    "partner": "Example Booking",
    "partnerId": 1,
    "keyId": 1,
    "practicepass": "DemoOffice",
    "ip": "198.51.100.7",
    "requestId": "5f0d9f6cb6a04a2d8a4c1f3e",
    "clientRequestId": "0b9c3f0e-7f0a-4c59-9d3b-0a6c1f1f7c52",
}


@get(
    "/overview",
    summary="Get usage statistics",
    opt=documented(example_response={"data": _OVERVIEW}, errors=[UnknownPractice]),
)
async def get_overview(
    database: TheDatabase,
    practicepass: OfPractice = None,
    partner_id: OfPartner = None,
    key_id: OfKey = None,
    days: Days = DEFAULT_DAYS,
) -> One[Overview]:
    """Returns the dashboard's figures over whole UTC days, including today: of all calls, or of one practice, partner
    or key. Calls appear within a second."""
    until = now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    since = until - timedelta(days=days)
    async with database.system() as db:
        practice_id = await _practice_id(db, practicepass)
        sums = await queries.figures(db, since, until, practice_id, partner_id, key_id)
        usage = await queries.by_day(db, since, until, practice_id, partner_id, key_id)
        endpoints = await queries.by_endpoint(db, since, until, practice_id, partner_id, key_id, TOP_ENDPOINTS)
    return One(_overview(sums, usage, endpoints))


@get(
    "/activity",
    summary="List API requests",
    opt=documented(example_response={"data": [_CALL], "count": 1, "nextCursor": None}, errors=[UnknownPractice]),
)
async def list_activity(
    database: TheDatabase,
    practicepass: OfPractice = None,
    partner_id: OfPartner = None,
    key_id: OfKey = None,
    method: OfMethod = None,
    endpoint: OfEndpoint = None,
    status: OfStatus = None,
    since: From = None,
    until: To = None,
    limit: Rows = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Stretch[Activity]:
    """Lists the request log, newest first. Request and response bodies are not stored. Entries are kept for
    OFFICEPRO_REQUEST_LOG_RETENTION_DAYS."""
    refuse_backward(since, until)
    least, greatest = _statuses(status)
    async with database.system() as db:
        wanted = Filter(
            practice_id=await _practice_id(db, practicepass),
            partner_id=partner_id,
            api_key_id=key_id,
            method=method,
            endpoint=endpoint,
            least_status=least,
            greatest_status=greatest,
            since=since,
            until=until,
            before=None if cursor is None else place_of(cursor),
        )
        rows = await queries.calls(db, wanted, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else cursor_of(last["happened_at"], last["request_log_id"])
    calls = [_activity(row) for row in rows[:limit]]
    return Stretch(calls, len(calls), following)


def refuse_backward(since: datetime | None, until: datetime | None) -> None:
    """Raise Invalid if `until` is not after `since`."""
    if since is not None and until is not None and until <= since:
        raise Invalid.at("query.to", "must be after `from`")


async def _practice_id(db: Connection, practicepass: str | None) -> int | None:
    return None if practicepass is None else (await practice_named(db, practicepass)).practice_id


def _statuses(status: str | None) -> tuple[int | None, int | None]:
    if status is None:
        return None, None
    if status.endswith("xx"):
        return int(status[0]) * 100, int(status[0]) * 100 + 99
    return int(status), int(status)


def _overview(sums: Figures, usage: list[tuple[date, int, int]], endpoints: list[Row]) -> Overview:
    errors = sums.caller_errors + sums.own_errors
    p50, p95, p99 = (percentile_milliseconds(sums.durations, share) for share in (0.5, 0.95, 0.99))
    return Overview(
        total_calls=sums.calls,
        success_rate=success_rate(sums.calls, errors),
        avg_duration_ms=average_milliseconds(sums.calls, sums.duration_microseconds),
        p50_duration_ms=p50,
        p95_duration_ms=p95,
        p99_duration_ms=p99,
        error_count=errors,
        caller_errors=sums.caller_errors,
        own_errors=sums.own_errors,
        usage=[UsageOfDay(*day) for day in usage],
        top_endpoints=[
            UsageOfEndpoint(
                row["method"],
                row["endpoint"],
                row["calls"],
                row["caller_errors"] + row["own_errors"],
                average_milliseconds(row["calls"], row["duration_microseconds"]),
            )
            for row in endpoints
        ],
    )


def _activity(row: Row) -> Activity:
    return Activity(
        row["happened_at"],
        row["method"],
        row["endpoint"],
        row["status"],
        average_milliseconds(1, row["duration_microseconds"]),
        row["company"],
        row["partner_id"],
        row["api_key_id"],
        row["practicepass"],
        row["address"],
        row["request_id"],
        row["client_request_id"],
    )


router = Router(
    "/v1/admin", guards=[requires_admin], route_handlers=[get_overview, list_activity], tags=["Administration"]
)
