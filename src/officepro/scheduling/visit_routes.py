"""Visit types, and visits: booked, held, listed, moved, cancelled. (seeds: Visit Scheduling)"""

from typing import Annotated, Any, TypedDict

from litestar import Response, Router, delete, get, patch, post
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET

from officepro.access.asked import TheCaller, TheDatabase, TheOnce
from officepro.access.guards import requires
from officepro.access.scopes import SCHEDULING
from officepro.foundation.answers import Listed, One, Paged, Written, listed
from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import Conflict, Impossible, Invalid, NotFound
from officepro.foundation.etags import StaleVersion, etag, version_of
from officepro.foundation.paging import DEFAULT_LIMIT, MAXIMUM_TOTAL, Page, paged
from officepro.foundation.parameters import IfMatch, PageLimit, PageNumber, PathId
from officepro.foundation.wire import MAXIMUM_ID, LocalDate
from officepro.scheduling import visit_queries
from officepro.scheduling import visit_shapes as shapes
from officepro.scheduling.booking import Appointment, Place, ProviderTimeOutsideVisit, take
from officepro.scheduling.diary import TheSetups, known_setup
from officepro.scheduling.visit_queries import Filter, UnknownVisit
from officepro.scheduling.wall_clock import DAY_MINUTES, Clock

STATUSES: dict[str, shapes.Status] = {
    "held": "Held",
    "booked": "Booked",
    "cancelled": "Cancelled",
    "completed": "Completed",
    "noshow": "NoShow",
}

IncludeInactive = Annotated[
    bool, QueryParameter(name="includeInactive", description="true: also those that can no longer be booked.")
]
DryRun = Annotated[bool, QueryParameter(name="dryRun", description="true: do all but keep the visit.")]
FirstDay = Annotated[LocalDate | None, QueryParameter(name="startDate", description="The first day, inclusive.")]
LastDay = Annotated[LocalDate | None, QueryParameter(name="endDate", description="The last day, inclusive.")]
OfProvider = Annotated[int | None, QueryParameter(name="providerId", ge=1, le=MAXIMUM_ID)]
OfPatient = Annotated[int | None, QueryParameter(name="patientId", ge=1, le=MAXIMUM_ID)]
OfStatus = Annotated[shapes.Status | None, QueryParameter(name="status", description="Only visits of this status.")]


class UnknownHold(NotFound):
    """This key holds no time under that number."""

    code = "unknown_hold"


class HoldNotFound(Impossible):
    """This key holds no time under that HoldID; book without it, or hold the time anew."""

    code = "hold_not_found"


class HoldExpired(Conflict):
    """The hold has ended; book without it if the time is still free."""

    code = "hold_expired"


class HoldDiffers(Impossible):
    """The hold is for another time, provider or visit type than the visit; book what is held, or hold anew."""

    code = "hold_differs"


class VisitNotBooked(Conflict):
    """Only a visit that is booked can be moved or cancelled."""

    code = "visit_not_booked"


@get("/visit-types", summary="List visit types")
async def list_visit_types(
    caller: TheCaller, database: TheDatabase, include_inactive: IncludeInactive = False
) -> Listed[shapes.VisitType]:
    """The visit types of the practice, with the providers and resources (rooms) that each allows."""
    async with database.practice(caller.practice_id) as db:
        rows = await visit_queries.visit_types(db, caller.practice_id, include_inactive=include_inactive)
    return listed([shapes.VisitType(*row.values()) for row in rows])


@post("/visits/book", summary="Book a visit")
async def book_visit(
    data: JSONBody[shapes.BookVisit],
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    once: TheOnce,
    dry_run: DryRun = False,
) -> Response[Written[shapes.BookedVisit]]:
    """Takes the time and the best free room of the visit type, or says why not and what could be booked instead.
    `dryRun` answers the same (200, `VisitID` null) and keeps nothing."""
    if data.hold_id is not UNSET:
        if dry_run:
            raise Invalid.at("query.dryRun", "does not go with HoldID: the time is yours already")
        return Response(await _book_held(data, data.hold_id, caller, setups, once))

    async def write(db: Connection, place: Place) -> Written[shapes.BookedVisit]:
        row = await visit_queries.book(
            db,
            caller.practice_id,
            caller.key_id,
            patient_id=data.patient_id,
            **_placed(data.provider_id, data.visit_type, place),
            complaint=data.complaint,
            notes=data.notes,
        )
        zone = (await known_setup(db, setups, caller.practice_id)).zone
        if dry_run:
            booked = _booked(row, Clock(zone))
            booked.visit_id = None
            return Written("Visit can be booked", booked)
        return await once.settled(db, Written("Visit booked successfully", _booked(row, Clock(zone))))

    answer = await take(database, once, setups, caller, _appointment(data), write, dry_run=dry_run)
    return Response(answer, status_code=200 if dry_run else 201)


async def _book_held(
    data: shapes.BookVisit, hold_id: int, caller: TheCaller, setups: TheSetups, once: TheOnce
) -> Written[shapes.BookedVisit]:
    async with once.transaction() as db:
        clock = Clock((await known_setup(db, setups, caller.practice_id)).zone)
        await _check_hold(db, data, hold_id, caller, clock)
        row = await visit_queries.book_held(
            db,
            caller.practice_id,
            caller.key_id,
            hold_id,
            patient_id=data.patient_id,
            complaint=data.complaint,
            notes=data.notes,
        )
        if row is None:
            raise HoldExpired
        return await once.settled(db, Written("Visit booked successfully", _booked(row, clock)))


async def _check_hold(db: Connection, data: shapes.BookVisit, hold_id: int, caller: TheCaller, clock: Clock) -> None:
    try:
        held = await visit_queries.one(db, caller.practice_id, hold_id)
    except UnknownVisit:
        raise HoldNotFound from None
    if held["api_key_id"] != caller.key_id or (held["status"] == "cancelled" and held["patient_id"] is not None):
        raise HoldNotFound
    if held["status"] != "held":
        raise HoldExpired
    if _asked(_appointment(data)) != _asked(_appointment_of(held, clock)):
        raise HoldDiffers


@post("/visits/hold", summary="Hold a time")
async def hold_time(
    data: JSONBody[shapes.HoldTime],
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    once: TheOnce,
) -> Written[shapes.HeldTime]:
    """Keeps provider and room for `ttlSeconds` as a booking would; `HoldID` in POST /visits/book makes it the visit."""

    async def write(db: Connection, place: Place) -> Written[shapes.HeldTime]:
        row = await visit_queries.hold(
            db,
            caller.practice_id,
            caller.key_id,
            **_placed(data.provider_id, data.visit_type, place),
            ttl_seconds=data.ttl_seconds,
        )
        clock = Clock((await known_setup(db, setups, caller.practice_id)).zone)
        held = shapes.HeldTime(row["visit_id"], **_wall_times(row, clock), held_until=row["held_until"])
        return await once.settled(db, Written("Time held successfully", held))

    return await take(database, once, setups, caller, _appointment(data), write)


@delete("/visits/hold/{hold_id:str}", summary="Release a hold", status_code=200)
async def release_hold(hold_id: PathId, caller: TheCaller, database: TheDatabase) -> Written[shapes.ReleasedHold]:
    """The time is free again at once. Only the key that holds it can release it."""
    async with database.practice(caller.practice_id) as db:
        if await visit_queries.release_hold(db, caller.practice_id, caller.key_id, hold_id) is None:
            raise UnknownHold
    return Written("Hold released successfully", shapes.ReleasedHold(hold_id))


@get("/visits", summary="List visits")
async def list_visits(
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    start_date: FirstDay = None,
    end_date: LastDay = None,
    provider_id: OfProvider = None,
    patient_id: OfPatient = None,
    status: OfStatus = None,
    page: PageNumber = 1,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Paged[shapes.Visit]:
    """In order of time. `total` counts up to 10,000; narrow the days to see more."""
    if page * limit > MAXIMUM_TOTAL:
        raise Invalid.at("query.page", f"reaches {MAXIMUM_TOTAL} records at most; narrow the days instead")
    if start_date and end_date and end_date < start_date:
        raise Invalid.at("query.endDate", "must not lie before startDate")
    wanted = Filter(
        first=start_date,
        last=end_date,
        provider_id=provider_id,
        patient_id=patient_id,
        status=None if status is None else status.lower(),
    )
    async with database.practice(caller.practice_id) as db:
        clock = Clock((await known_setup(db, setups, caller.practice_id)).zone)
        rows, total = await visit_queries.some(db, caller.practice_id, wanted, Page(page, limit))
    return paged([_visit(row, clock) for row in rows], Page(page, limit), total)


@get("/visits/{visit_id:str}", summary="Get one visit")
async def get_visit(
    visit_id: PathId, caller: TheCaller, database: TheDatabase, setups: TheSetups
) -> Response[One[shapes.Visit]]:
    """With its history."""
    async with database.practice(caller.practice_id) as db:
        row, visit = await _whole(db, setups, caller.practice_id, visit_id)
    return Response(One(visit), headers=etag(row["version"]))


@patch("/visits/{visit_id:str}", summary="Move a visit")
async def move_visit(
    visit_id: PathId,
    data: JSONBody[shapes.MoveVisit],
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    once: TheOnce,
    if_match: IfMatch = None,
) -> Response[Written[shapes.Visit]]:
    """The same VisitID: the old time is freed and the new one taken at once, or nothing changes. What is not sent stays
    as it is; the provider's part keeps its place in the visit unless it is sent."""
    async with database.practice(caller.practice_id) as db:
        clock = Clock((await known_setup(db, setups, caller.practice_id)).zone)
        row = await visit_queries.one(db, caller.practice_id, visit_id)
    wanted_version = version_of(if_match)
    if wanted_version is not None and wanted_version != row["version"]:
        raise StaleVersion(row["version"])
    if row["status"] != "booked":
        raise VisitNotBooked
    texts = {
        "complaint": row["complaint"] if data.complaint is UNSET else data.complaint,
        "notes": row["notes"] if data.notes is UNSET else data.notes,
        "version": row["version"],
    }
    before, after = _appointment_of(row, clock), _moved(row, data, clock)

    async def write(db: Connection, place: Place) -> None:
        placed = _placed(after.provider_id, after.visit_type, place)
        if await visit_queries.move(db, caller.practice_id, caller.key_id, visit_id, **placed, **texts) is None:
            raise StaleVersion((await visit_queries.one(db, caller.practice_id, visit_id))["version"])

    if _asked(before) == _asked(after):
        async with database.practice(caller.practice_id) as db:
            if await visit_queries.annotate(db, caller.practice_id, visit_id, **texts) is None:
                raise StaleVersion((await visit_queries.one(db, caller.practice_id, visit_id))["version"])
    else:
        await take(database, once, setups, caller, after, write, but_visit=visit_id, one_statement=False)
    async with database.practice(caller.practice_id) as db:
        row, visit = await _whole(db, setups, caller.practice_id, visit_id)
    return Response(Written("Visit updated successfully", visit), headers=etag(row["version"]))


@post("/visits/{visit_id:str}/cancel", summary="Cancel a visit", status_code=200)
async def cancel_visit(
    visit_id: PathId,
    data: JSONBody[shapes.CancelVisit],
    caller: TheCaller,
    setups: TheSetups,
    once: TheOnce,
) -> Written[shapes.Visit]:
    """Its time is free again at once."""
    async with once.transaction() as db:
        if await visit_queries.cancel(db, caller.practice_id, caller.key_id, visit_id, data.reason) is None:
            await visit_queries.one(db, caller.practice_id, visit_id)
            raise VisitNotBooked
        _, visit = await _whole(db, setups, caller.practice_id, visit_id)
        return await once.settled(db, Written("Visit cancelled successfully", visit), status=200)


class _Placed(TypedDict):
    provider_id: int
    visit_type: str
    room_id: int | None
    needs_room: bool
    times: visit_queries.Times


def _placed(provider_id: int, visit_type: str, place: Place) -> _Placed:
    return {
        "provider_id": provider_id,
        "visit_type": visit_type,
        "room_id": place.room_id,
        "needs_room": place.needs_room,
        "times": place.times,
    }


def _appointment(data: shapes.AskedTime) -> Appointment:
    after = 0
    if data.provider_time is not UNSET:
        after = (_minutes(data.provider_time) - _minutes(data.visit_time)) % DAY_MINUTES
        if data.provider_time.second != data.visit_time.second:
            raise Invalid.at("body.ProviderTime", "must be a whole number of minutes after VisitTime")
    rest = data.visit_duration - after
    if rest <= 0:
        raise ProviderTimeOutsideVisit
    return Appointment(
        provider_id=data.provider_id,
        visit_type=data.visit_type,
        day=data.visit_date,
        minute_of_day=_minutes(data.visit_time),
        seconds=data.visit_time.second,
        duration=data.visit_duration,
        provider_after=after,
        provider_duration=rest if data.provider_duration is UNSET else data.provider_duration,
    )


def _appointment_of(row: Row, clock: Clock) -> Appointment:
    """The time that a visit has."""
    local = clock.local(row["starts_at"])
    return Appointment(
        provider_id=row["provider_id"],
        visit_type=row["visit_type"],
        day=local.day,
        minute_of_day=local.minute_of_day,
        seconds=row["starts_at"].second,
        duration=_between(row, "starts_at", "ends_at"),
        provider_after=_between(row, "starts_at", "provider_starts_at"),
        provider_duration=_between(row, "provider_starts_at", "provider_ends_at"),
    )


def _moved(row: Row, data: shapes.MoveVisit, clock: Clock) -> Appointment:
    """The time that a visit is to have. A provider's part that filled the visit goes on filling it."""
    had = _appointment_of(row, clock)
    starts = data.visit_time if data.visit_time is not UNSET else None
    minute_of_day = had.minute_of_day if starts is None else _minutes(starts)
    duration = had.duration if data.visit_duration is UNSET else data.visit_duration
    after = had.provider_after
    if data.provider_time is not UNSET:
        after = (_minutes(data.provider_time) - minute_of_day) % DAY_MINUTES
    if after >= duration:
        raise ProviderTimeOutsideVisit
    reached_the_end = had.provider_after + had.provider_duration == had.duration
    kept = duration - after if reached_the_end else had.provider_duration
    return Appointment(
        provider_id=had.provider_id if data.provider_id is UNSET else data.provider_id,
        visit_type=had.visit_type if data.visit_type is UNSET else data.visit_type,
        day=had.day if data.visit_date is UNSET else data.visit_date,
        minute_of_day=minute_of_day,
        seconds=had.seconds if starts is None else starts.second,
        duration=duration,
        provider_after=after,
        provider_duration=kept if data.provider_duration is UNSET else data.provider_duration,
    )


def _asked(appointment: Appointment) -> tuple[object, ...]:
    return tuple(getattr(appointment, name) for name in appointment.__struct_fields__)


def _minutes(time: Any) -> int:
    return int(time.hour * 60 + time.minute)


def _between(row: Row, earlier: str, later: str) -> int:
    return int((row[later] - row[earlier]).total_seconds()) // 60


def _wall_times(row: Row, clock: Clock) -> dict[str, Any]:
    return {
        "provider_id": row["provider_id"],
        "visit_type": row["visit_type"],
        "visit_date": clock.local(row["starts_at"]).day,
        "visit_time": clock.time(row["starts_at"]),
        "visit_duration": _between(row, "starts_at", "ends_at"),
        "provider_time": clock.time(row["provider_starts_at"]),
        "provider_duration": _between(row, "provider_starts_at", "provider_ends_at"),
        "room_id": row["room_id"],
    }


def _booked(row: Row, clock: Clock) -> shapes.BookedVisit:
    return shapes.BookedVisit(row["visit_id"], row["patient_id"], **_wall_times(row, clock))


def _visit(row: Row, clock: Clock) -> shapes.Visit:
    return shapes.Visit(
        visit_id=row["visit_id"],
        patient_id=row["patient_id"],
        **_wall_times(row, clock),
        complaint=row["complaint"],
        notes=row["notes"],
        status=STATUSES[row["status"]],
        cancel_reason=row["cancel_reason"],
        time_zone=clock.zone,
        start=clock.moment(row["starts_at"]),
        end=clock.moment(row["ends_at"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def _whole(db: Connection, setups: TheSetups, practice_id: int, visit_id: int) -> tuple[Row, shapes.Visit]:
    clock = Clock((await known_setup(db, setups, practice_id)).zone)
    row = await visit_queries.one(db, practice_id, visit_id)
    visit = _visit(row, clock)
    visit.history = [
        shapes.StatusChange(
            change["happened_at"],
            change["api_key_id"],
            STATUSES.get(change["from_status"]),
            STATUSES[change["to_status"]],
            None if change["from_starts_at"] is None else clock.moment(change["from_starts_at"]),
            clock.moment(change["to_starts_at"]),
            change["reason"],
        )
        for change in await visit_queries.history(db, practice_id, visit_id)
    ]
    return row, visit


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
