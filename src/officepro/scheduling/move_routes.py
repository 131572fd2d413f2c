"""Routes that reschedule, annotate and cancel a booked visit. (Source API specification: Visit Scheduling)"""

from litestar import Response, patch, post
from litestar.params import JSONBody
from msgspec import UNSET

from officepro.access.asked import TheCaller, TheDatabase, TheOnce
from officepro.access.caller import Caller
from officepro.access.once import Once
from officepro.activity.asked import TheDisclosures
from officepro.foundation.answers import Written
from officepro.foundation.database import Connection, Database, Row
from officepro.foundation.documented import documented
from officepro.foundation.errors import Conflict
from officepro.foundation.etags import StaleVersion, etag, version_of
from officepro.foundation.parameters import IfMatch, PathId
from officepro.practices.setup import Setups
from officepro.scheduling import examples, visit_queries, visit_writes
from officepro.scheduling import visit_shapes as shapes
from officepro.scheduling.booking import ATTEMPTS, NOT_TO_BE_HAD, Place, TooMuchAtOnce, take
from officepro.scheduling.diary import TheSetups
from officepro.scheduling.visit_answers import clock_of, whole_visit
from officepro.scheduling.visit_queries import UnknownVisit
from officepro.scheduling.wall_clock import Clock
from officepro.scheduling.wishes import is_at, moved


class VisitNotBooked(Conflict):
    """Only visits with status Booked can be rescheduled or cancelled. GET /visits/{id} returns the status."""

    code = "visit_not_booked"


@patch(
    "/visits/{visit_id:str}",
    summary="Reschedule a visit",
    opt=documented(
        path_example={"id": 555},
        example_request={"VisitDate": "2026-03-13", "VisitTime": "11:30:00"},
        example_response={"message": "Visit updated successfully", "data": examples.MOVED},
        errors=[*NOT_TO_BE_HAD, UnknownVisit, VisitNotBooked],
    ),
)
async def move_visit(
    visit_id: PathId,
    data: JSONBody[shapes.MoveVisit],
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    once: TheOnce,
    disclosures: TheDisclosures,
    if_match: IfMatch = None,
) -> Response[Written[shapes.Visit]]:
    """Moves the visit to the new time, or changes nothing; the VisitID stays the same. Omitted fields are unchanged.
    The provider's time keeps its position within the visit unless it is sent."""
    await once.refuse_repeat()
    wanted_version = version_of(if_match)
    for _ in range(ATTEMPTS):
        async with database.practice(caller.practice_id) as db:
            clock = await clock_of(db, setups, caller.practice_id)
            row = await visit_queries.one(db, caller.practice_id, visit_id)
        if wanted_version not in (None, row["version"]):
            raise StaleVersion(row["version"])
        if row["status"] != "booked":
            raise VisitNotBooked
        try:
            version, answer = await _move(row, data, clock, caller, database, setups, once)
        except StaleVersion:
            continue  # changed by a concurrent request since it was read
        await disclosures.record(row["patient_id"])
        return Response(answer, headers=etag(version))
    raise TooMuchAtOnce


async def _move(
    row: Row,
    data: shapes.MoveVisit,
    clock: Clock,
    caller: Caller,
    database: Database,
    setups: Setups,
    once: Once,
) -> tuple[int, Written[shapes.Visit]]:
    """Return the visit's new version and the response. Raises StaleVersion if it has changed since `row` was read."""
    visit_id = row["visit_id"]
    texts = {
        "complaint": row["complaint"] if data.complaint is UNSET else data.complaint,
        "notes": row["notes"] if data.notes is UNSET else data.notes,
        "version": row["version"],
    }

    async def settle(db: Connection, changed: Row | None) -> tuple[int, Written[shapes.Visit]]:
        now, visit = await whole_visit(db, setups, caller.practice_id, visit_id)
        if changed is None:
            raise StaleVersion(now["version"])
        answer = Written("Visit updated successfully", visit)
        return now["version"], await once.settled(db, answer, status=200, version=now["version"])

    async def write(db: Connection, place: Place) -> tuple[int, Written[shapes.Visit]]:
        placed = place.columns(wanted)
        changed = await visit_writes.move(db, caller.practice_id, caller.key_id, visit_id, **placed, **texts)
        return await settle(db, changed)

    if data.asks_for_a_time():
        wanted = moved(row, data, clock)
        if not is_at(row, wanted, clock):
            return await take(database, once, setups, caller, wanted, write, but_visit=visit_id)
    async with once.transaction() as db:
        return await settle(db, await visit_writes.annotate(db, caller.practice_id, visit_id, **texts))


@post(
    "/visits/{visit_id:str}/cancel",
    summary="Cancel a visit",
    status_code=200,
    opt=documented(
        path_example={"id": 555},
        example_request={"Reason": "Patient called"},
        example_response={"message": "Visit cancelled successfully", "data": examples.CANCELLED},
        errors=[UnknownVisit, VisitNotBooked],
    ),
)
async def cancel_visit(
    visit_id: PathId,
    data: JSONBody[shapes.CancelVisit],
    caller: TheCaller,
    setups: TheSetups,
    once: TheOnce,
    disclosures: TheDisclosures,
) -> Written[shapes.Visit]:
    """Cancels the visit and frees its time immediately."""
    async with once.transaction() as db:
        if await visit_writes.cancel(db, caller.practice_id, caller.key_id, visit_id, data.reason) is None:
            await visit_queries.one(db, caller.practice_id, visit_id)
            raise VisitNotBooked
        _, visit = await whole_visit(db, setups, caller.practice_id, visit_id)
        answer = await once.settled(db, Written("Visit cancelled successfully", visit), status=200)
    await disclosures.record(visit.patient_id)
    return answer
