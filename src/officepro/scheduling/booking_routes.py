"""Routes that book visits and hold times. (Source API specification: Visit Scheduling)"""

from typing import Annotated

import msgspec
from litestar import Response, delete, post
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET

from officepro.access.asked import TheCaller, TheDatabase, TheOnce
from officepro.access.caller import Caller
from officepro.activity.asked import TheDisclosures
from officepro.foundation.answers import Written
from officepro.foundation.database import Connection
from officepro.foundation.documented import documented
from officepro.foundation.errors import Conflict, Impossible, Invalid, NotFound
from officepro.foundation.parameters import PathId
from officepro.scheduling import examples, visit_queries, visit_writes
from officepro.scheduling import visit_shapes as shapes
from officepro.scheduling.booking import NOT_TO_BE_HAD, Place, take
from officepro.scheduling.bookings import Booking, TheBookings
from officepro.scheduling.diary import TheSetups
from officepro.scheduling.questions import TheVisits
from officepro.scheduling.visit_answers import booked_visit, clock_of, held_time
from officepro.scheduling.visit_queries import UnknownVisit
from officepro.scheduling.visit_writes import UnknownPatient
from officepro.scheduling.wall_clock import Clock
from officepro.scheduling.wishes import appointment_of, is_at

DryRun = Annotated[bool, QueryParameter(name="dryRun", description="Validate without saving.")]


class UnknownHold(NotFound):
    """This API key has no active hold with this ID. It may have been released or expired."""

    code = "unknown_hold"


class HoldNotFound(Impossible):
    """This API key has no hold with this HoldID. Book without HoldID, or create a new hold."""

    code = "hold_not_found"


class HoldExpired(Conflict):
    """The hold has expired or was released. Book without HoldID, or create a new hold."""

    code = "hold_expired"


class HoldDiffers(Impossible):
    """This hold is for another time, provider or visit type. Send the values of the hold, or create a new hold."""

    code = "hold_differs"


class HoldUsed(Conflict):
    """This hold has already been converted into a visit. GET /visits/{id} returns it."""

    code = "hold_used"


@post(
    "/visits/book",
    summary="Book a visit",
    opt=documented(
        example_request=examples.BOOK,
        example_response={"message": "Visit booked successfully", "data": examples.BOOKED},
        errors=[*NOT_TO_BE_HAD, UnknownPatient, HoldNotFound, HoldExpired, HoldUsed, HoldDiffers],
        further_answers={200: "Dry run: the visit can be booked."},
    ),
)
async def book_visit(
    data: JSONBody[shapes.BookVisit],
    caller: TheCaller,
    database: TheDatabase,
    visits: TheVisits,
    bookings: TheBookings,
    setups: TheSetups,
    once: TheOnce,
    disclosures: TheDisclosures,
    dry_run: DryRun = False,
) -> Response[Written[shapes.BookedVisit]]:
    """Books the slot and assigns a free room. If unavailable, returns 409 with reasons and up to three alternatives.
    With `dryRun` nothing is saved: the response is 200 with `VisitID` null."""
    if data.hold_id is not UNSET:
        if dry_run:
            raise Invalid.at("query.dryRun", "cannot be combined with HoldID")
        answer = await _book_held(data, data.hold_id, caller, setups, once)
        await disclosures.record(data.patient_id)
        return Response(answer)

    wanted = appointment_of(data)

    async def write(db: Connection, place: Place) -> Written[shapes.BookedVisit]:
        row = await visit_writes.book(
            db,
            caller.practice_id,
            caller.key_id,
            patient_id=data.patient_id,
            **place.columns(wanted),
            complaint=data.complaint,
            notes=data.notes,
        )
        booked = booked_visit(row, Clock(place.zone))
        if dry_run:
            booked.visit_id = None
            return Written("Visit can be booked", booked)
        return await once.settled(db, Written("Visit booked successfully", booked))

    async def write_at_once(place: Place) -> Written[shapes.BookedVisit]:
        if not bookings.may_be_joined:
            async with once.single_statement() as db:
                return await write(db, place)
        disclosure = disclosures.of(data.patient_id)
        visit_id, room_id = await bookings.book(
            Booking(
                practice_id=caller.practice_id,
                api_key_id=caller.key_id,
                patient_id=data.patient_id,
                provider_id=wanted.provider_id,
                rooms=place.rooms,
                visit_type=wanted.visit_type,
                times=place.times,
                complaint=data.complaint,
                notes=data.notes,
                disclosure=disclosure,
            )
        )
        disclosures.kept(disclosure)
        row = {
            **place.columns(wanted),
            **msgspec.structs.asdict(place.times),
            "visit_id": visit_id,
            "patient_id": data.patient_id,
            "room_id": room_id,
        }
        return Written("Visit booked successfully", booked_visit(row, Clock(place.zone)))

    answer = await take(
        database,
        once,
        setups,
        caller,
        wanted,
        write,
        dry_run=dry_run,
        visits=visits,
        write_at_once=write_at_once,
    )
    await disclosures.record(data.patient_id)
    return Response(answer, status_code=200 if dry_run else 201)


async def _book_held(
    data: shapes.BookVisit, hold_id: int, caller: TheCaller, setups: TheSetups, once: TheOnce
) -> Written[shapes.BookedVisit]:
    async with once.transaction() as db:
        clock = await clock_of(db, setups, caller.practice_id)
        await _check_hold(db, data, hold_id, caller, clock)
        row = await visit_writes.book_held(
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
        return await once.settled(db, Written("Visit booked successfully", booked_visit(row, clock)))


async def _check_hold(db: Connection, data: shapes.BookVisit, hold_id: int, caller: Caller, clock: Clock) -> None:
    try:
        held = await visit_queries.one(db, caller.practice_id, hold_id)
    except UnknownVisit:
        raise HoldNotFound from None
    if held["api_key_id"] != caller.key_id:
        raise HoldNotFound
    if held["patient_id"] is not None:
        raise HoldUsed
    if held["status"] != "held":
        raise HoldExpired
    if not is_at(held, appointment_of(data), clock):
        raise HoldDiffers


@post(
    "/visits/hold",
    summary="Hold a time",
    opt=documented(
        example_request=examples.HOLD,
        example_response={"message": "Time held successfully", "data": examples.HELD},
        errors=NOT_TO_BE_HAD,
    ),
)
async def hold_time(
    data: JSONBody[shapes.HoldTime],
    caller: TheCaller,
    database: TheDatabase,
    visits: TheVisits,
    setups: TheSetups,
    once: TheOnce,
) -> Written[shapes.HeldTime]:
    """Reserves provider and room for `ttlSeconds`. Send the `HoldID` to POST /visits/book to make it a visit."""

    wanted = appointment_of(data)

    async def write(db: Connection, place: Place) -> Written[shapes.HeldTime]:
        row = await visit_writes.hold(
            db,
            caller.practice_id,
            caller.key_id,
            **place.columns(wanted),
            ttl_seconds=data.ttl_seconds,
        )
        return await once.settled(db, Written("Time held successfully", held_time(row, Clock(place.zone))))

    async def write_at_once(place: Place) -> Written[shapes.HeldTime]:
        async with once.single_statement() as db:
            return await write(db, place)

    return await take(database, once, setups, caller, wanted, write, visits=visits, write_at_once=write_at_once)


@delete(
    "/visits/hold/{hold_id:str}",
    summary="Release a hold",
    status_code=200,
    opt=documented(
        path_example={"id": 556},
        example_response={"message": "Hold released successfully", "data": {"HoldID": 556}},
        errors=[UnknownHold],
    ),
)
async def release_hold(hold_id: PathId, caller: TheCaller, database: TheDatabase) -> Written[shapes.ReleasedHold]:
    """Frees the time immediately. Only the API key that created the hold can release it."""
    async with database.practice(caller.practice_id) as db:
        if await visit_writes.release_hold(db, caller.practice_id, caller.key_id, hold_id) is None:
            raise UnknownHold
    return Written("Hold released successfully", shapes.ReleasedHold(hold_id))
