"""Disclosures page: recipients of patients' data by time, as a table and as CSV."""

from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Response, Router, get
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase
from officepro.activity import disclosure_queries
from officepro.activity.disclosure_queries import Filter
from officepro.foundation.clock import timestamp
from officepro.foundation.spreadsheets import csv_lines
from officepro.foundation.wire import DIGITS_OR_EMPTY, NO_NUL
from officepro.portal import queries
from officepro.portal.frame import SAFE, AnyRequest, SignedIn, page

ROWS = 50
ROWS_OF_CSV = 10_000
COLUMNS = (
    "number", "time", "partner", "key", "method", "endpoint", "request", "patients", "address", "purpose", "kinds",
)  # fmt: skip

Practice = Annotated[str, QueryParameter(name="practice", max_length=64, pattern=NO_NUL)]
Patient = Annotated[str, QueryParameter(name="patient", pattern=DIGITS_OR_EMPTY)]
Before = Annotated[str, QueryParameter(name="before", pattern=DIGITS_OR_EMPTY)]


@get("/disclosures", guards=[SignedIn(admin=True)])
async def show_disclosures(
    request: AnyRequest, database: TheDatabase, practice: Practice = "", patient: Patient = "", before: Before = ""
) -> Response[str]:
    """Return the page of a practice's disclosures."""
    practices, chosen, rows = await _read(database, practice, patient, before, ROWS)
    filters = {"practice": chosen, **({"patient": patient} if patient else {})}
    return page(
        request,
        "disclosures.html",
        practices=practices,
        practice=chosen,
        patient=patient,
        rows=rows,
        filters=urlencode(filters),
        older=urlencode({**filters, "before": rows[-1]["number"]}) if len(rows) == ROWS else None,
        is_newest=not before,
    )


@get("/disclosures.csv", guards=[SignedIn(admin=True)])
async def download_disclosures(
    request: AnyRequest, database: TheDatabase, practice: Practice = "", patient: Patient = "", before: Before = ""
) -> Response[str]:
    """Return up to 10,000 disclosures as CSV, newest first; `before` continues from there."""
    _, chosen, rows = await _read(database, practice, patient, before, ROWS_OF_CSV)
    lines: list[Iterable[object]] = [COLUMNS]
    for row in rows:
        patients = " ".join(map(str, row["patient_ids"]))
        recipient = (row["address"], row["purpose"], " ".join(row["kinds"] or ()))
        call = (row["method"], row["endpoint"], row["request_id"])
        moment = timestamp(row["happened_at"])
        lines.append([row["number"], moment, row["company"], row["name"], *call, patients, *recipient])
    headers = {"Content-Disposition": f'attachment; filename="disclosures-{chosen}.csv"', **SAFE}
    return Response(csv_lines(lines), media_type="text/csv", headers=headers)


async def _read(
    database: TheDatabase, practice: str, patient: str, before: str, limit: int
) -> tuple[list[Any], str, list[Any]]:
    async with database.system() as db:
        practices = await queries.practices(db, practice)
        chosen = next(
            (one for one in practices if one["practicepass"] == practice), practices[0] if practices else None
        )
        if chosen is None:
            return [], "", []
        wanted = Filter(patient_id=int(patient) if patient else None, before=int(before) if before else None)
        rows = await disclosure_queries.some(db, chosen["practice_id"], wanted, limit)
    return practices, chosen["practicepass"], rows


router = Router("/portal", route_handlers=[show_disclosures, download_disclosures])
