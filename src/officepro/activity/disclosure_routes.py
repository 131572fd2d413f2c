"""Admin endpoint that lists disclosures, as JSON or CSV: for the practice and its auditors."""

from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Literal

import msgspec
from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.params import QueryParameter
from litestar.response import Stream

from officepro.access.asked import TheDatabase
from officepro.access.guards import requires_admin
from officepro.activity import disclosure_queries
from officepro.activity.disclosure_queries import Filter
from officepro.activity.routes import DEFAULT_ROWS, From, OfKey, Rows, To, refuse_backward
from officepro.activity.shapes import DisclosedAnswer, Stretch
from officepro.foundation.clock import timestamp
from officepro.foundation.database import Database, Row
from officepro.foundation.documented import documented
from officepro.foundation.spreadsheets import csv_lines
from officepro.foundation.wire import MAXIMUM_ID
from officepro.practices.asked import PRACTICE_PROVIDED, ThePractice
from officepro.practices.queries import UnknownPractice

ROWS_AT_ONCE = 1_000  # per query of a CSV download; no connection is held while the client reads
CSV = "text/csv"
_COLUMNS = (
    "number", "time", "patientId", "partner", "partnerId", "key", "keyId", "method", "endpoint", "requestId",
    "address", "purpose", "kinds",
)  # fmt: skip

OfPatient = Annotated[
    int | None, QueryParameter(name="patientId", ge=1, le=MAXIMUM_ID, description="Filter by patient.")
]
Format = Annotated[
    Literal["json", "csv"] | None,
    QueryParameter(name="format", description="`csv` returns a file, as `Accept: text/csv` does."),
]
Before = Annotated[
    int | None,
    QueryParameter(name="cursor", ge=1, le=MAXIMUM_ID, description="`nextCursor` of the previous page."),
]

_DISCLOSURE = {
    "number": 42,
    "time": "2026-03-09T14:15:00.120Z",
    "partner": "Example Booking",
    "partnerId": 1,
    "key": "Booking site",
    "keyId": 1,
    "address": "192.0.2.10",
    "purpose": "treatment",
    "kinds": ["identity", "contact", "demographics", "notes", "tags", "photo"],
    "method": "GET",
    "endpoint": "/v1/{PPass}/prospects/{id}",
    "requestId": "5f0d9f6cb6a04a2d8a4c1f3e",
    "patientIds": [1001],
}


@get(
    "/disclosures",
    summary="List disclosures",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        example_response={"data": [_DISCLOSURE], "count": 1, "nextCursor": None},
        errors=[UnknownPractice],
        further_media={CSV: "One line per patient and response; all matching rows, regardless of `limit`."},
    ),
)
async def list_disclosures(
    request: Request[None, None, State],
    practice: ThePractice,
    database: TheDatabase,
    patient_id: OfPatient = None,
    key_id: OfKey = None,
    since: From = None,
    until: To = None,
    limit: Rows = DEFAULT_ROWS,
    cursor: Before = None,
    as_format: Format = None,
) -> Response[Stretch[DisclosedAnswer]]:
    """Lists responses that contained patients, newest first: the recipient (company, key and network address as of the
    disclosure), the purpose of the key, the kinds of fields, the route and the patients. Each row is written before its
    response is sent. `officepro disclosure verify` detects later changes."""
    refuse_backward(since, until)
    wanted = Filter(patient_id=patient_id, api_key_id=key_id, since=since, until=until, before=cursor)
    if as_format == "csv" or (as_format is None and _asks_for_csv(request)):
        return _file(practice.practicepass, _lines(database, practice.practice_id, wanted))
    async with database.system() as db:
        rows = await disclosure_queries.some(db, practice.practice_id, wanted, limit + 1)
    answers = [DisclosedAnswer(*row.values()) for row in rows[:limit]]
    following = str(answers[-1].number) if len(rows) > limit else None
    return Response(Stretch(answers, len(answers), following))


def _asks_for_csv(request: Request[None, None, State]) -> bool:
    return request.headers.get("accept", "").partition(";")[0].strip().lower() == CSV


def _file(practicepass: str, lines: AsyncIterator[str]) -> Response[Stretch[DisclosedAnswer]]:
    headers = {"Content-Disposition": f'attachment; filename="disclosures-{practicepass}.csv"'}
    return Stream(lines, media_type=CSV, headers=headers)  # type: ignore[return-value]


async def _lines(database: Database, practice_id: int, wanted: Filter) -> AsyncIterator[str]:
    yield csv_lines([_COLUMNS])
    while True:
        async with database.system() as db:
            rows = await disclosure_queries.some(db, practice_id, wanted, ROWS_AT_ONCE)
        yield csv_lines(line for row in rows for line in _lines_of(row, wanted.patient_id))
        if len(rows) < ROWS_AT_ONCE:
            return
        wanted = msgspec.structs.replace(wanted, before=rows[-1]["number"])


def _lines_of(row: Row, patient_id: int | None) -> Iterable[tuple[object, ...]]:
    before = (row["number"], timestamp(row["happened_at"]))
    behind = (
        row["company"],
        row["partner_id"],
        row["name"],
        row["api_key_id"],
        row["method"],
        row["endpoint"],
        row["request_id"],
        row["address"],
        row["purpose"],
        " ".join(row["kinds"] or ()),
    )
    return [(*before, told, *behind) for told in row["patient_ids"] if patient_id in (None, told)]


router = Router(
    "/v1/admin/{practicepass:str}",
    guards=[requires_admin],
    dependencies=PRACTICE_PROVIDED,
    route_handlers=[list_disclosures],
    tags=["Administration"],
)
