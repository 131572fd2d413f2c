"""What changes visits: book, hold, move, cancel. (seeds: Visit Scheduling)"""

from datetime import time, timedelta
from typing import Annotated, TypedDict

from litestar import Response, delete, patch, post
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from officepro.access.asked import TheCaller, TheDatabase, TheOnce
from officepro.access.caller import Caller
from officepro.access.once import Once
from officepro.activity.asked import TheDisclosures
from officepro.foundation.answers import Written
from officepro.foundation.database import Connection, Database, Row
from officepro.foundation.documented import documented
from officepro.foundation.errors import Conflict, Impossible, Invalid, NotFound, OfficeProError
from officepro.foundation.etags import StaleVersion, etag, version_of
from officepro.foundation.parameters import IfMatch, PathId
from officepro.foundation.wire import LocalTime
from officepro.practices.setup import Setups
from officepro.scheduling import examples, visit_queries
from officepro.scheduling import visit_shapes as shapes
from officepro.scheduling.alternatives import REFUSALS
from officepro.scheduling.appointment import (
    Appointment,
    ProviderTimeOutsideVisit,
    TimeDoesNotExist,
    span_of,
    times_of,
)
from officepro.scheduling.booking import ATTEMPTS, Place, TooMuchAtOnce, take
from officepro.scheduling.diary import (
    InactiveVisitType,
    ProviderNotAllowed,
    SetupKeepsChanging,
    TheSetups,
    UnknownProvider,
    UnknownVisitType,
)
from officepro.scheduling.openings import Visit
from officepro.scheduling.visit_answers import booked_visit, clock_of, held_time, minutes_between, whole_visit
from officepro.scheduling.visit_queries import UnknownPatient, UnknownVisit
from officepro.scheduling.wall_clock import Clock

DryRun = Annotated[bool, QueryParameter(name="dryRun", description="true: do all but keep the visit.")]


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


class HoldUsed(Conflict):
    """Under this HoldID there is a visit already; GET /visits/{id} tells of it."""

    code = "hold_used"


class VisitNotBooked(Conflict):
    """Only a visit that is booked can be moved or cancelled."""

    code = "visit_not_booked"


# Why a time may not be had, whatever is to be done with it.
NOT_TO_BE_HAD: list[type[OfficeProError]] = [
    UnknownProvider,
    UnknownVisitType,
    InactiveVisitType,
    ProviderNotAllowed,
    TimeDoesNotExist,
    ProviderTimeOutsideVisit,
    *REFUSALS,
    SetupKeepsChanging,
    TooMuchAtOnce,
]


@post(
    "/visits/book",
    summary="Book a visit",
    opt=documented(
        example_request=examples.BOOK,
        example_response={"message": "Visit booked successfully", "data": examples.BOOKED},
        errors=[*NOT_TO_BE_HAD, UnknownPatient, HoldNotFound, HoldExpired, HoldUsed, HoldDiffers],
        further_answers={200: "It can be booked: the answer to a dry run."},
    ),
)
async def book_visit(
    data: JSONBody[shapes.BookVisit],
    caller: TheCaller,
    database: TheDatabase,
    setups: TheSetups,
    once: TheOnce,
    disclosures: TheDisclosures,
    dry_run: DryRun = False,
) -> Response[Written[shapes.BookedVisit]]:
    """Takes the time and the best free room of the visit type, or says why not and what could be booked instead.
    `dryRun` answers the same (200, `VisitID` null) and keeps nothing."""
    if data.hold_id is not UNSET:
        if dry_run:
            raise Invalid.at("query.dryRun", "does not go with HoldID: the time is yours already")
        answer = await _book_held(data, data.hold_id, caller, setups, once)
        await disclosures.record(data.patient_id)
        return Response(answer)

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
        booked = booked_visit(row, await clock_of(db, setups, caller.practice_id))
        if dry_run:
            booked.visit_id = None
            return Written("Visit can be booked", booked)
        return await once.settled(db, Written("Visit booked successfully", booked))

    answer = await take(database, once, setups, caller, _appointment(data), write, dry_run=dry_run)
    await disclosures.record(data.patient_id)
    return Response(answer, status_code=200 if dry_run else 201)


async def _book_held(
    data: shapes.BookVisit, hold_id: int, caller: TheCaller, setups: TheSetups, once: TheOnce
) -> Written[shapes.BookedVisit]:
    async with once.transaction() as db:
        clock = await clock_of(db, setups, caller.practice_id)
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
    if not _is_at(held, _appointment(data), clock):
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
        clock = await clock_of(db, setups, caller.practice_id)
        return await once.settled(db, Written("Time held successfully", held_time(row, clock)))

    return await take(database, once, setups, caller, _appointment(data), write)


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
    """The time is free again at once. Only the key that holds it can release it."""
    async with database.practice(caller.practice_id) as db:
        if await visit_queries.release_hold(db, caller.practice_id, caller.key_id, hold_id) is None:
            raise UnknownHold
    return Written("Hold released successfully", shapes.ReleasedHold(hold_id))


@patch(
    "/visits/{visit_id:str}",
    summary="Move a visit",
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
    """The same VisitID: the old time is freed and the new one taken at once, or nothing changes. What is not sent stays
    as it is; the provider's part keeps its place in the visit unless it is sent."""
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
            continue  # somebody changed it between our look and our write: look again
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
    """The visit's new version. Raises StaleVersion when it is no longer as in `row`."""
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
        return now["version"], await once.settled(db, Written("Visit updated successfully", visit), status=200)

    async def write(db: Connection, place: Place) -> tuple[int, Written[shapes.Visit]]:
        placed = _placed(wanted.provider_id, wanted.visit_type, place)
        moved = await visit_queries.move(db, caller.practice_id, caller.key_id, visit_id, **placed, **texts)
        return await settle(db, moved)

    if data.asks_for_a_time():
        wanted = _moved(row, data, clock)
        if not _is_at(row, wanted, clock):
            return await take(database, once, setups, caller, wanted, write, but_visit=visit_id, one_statement=False)
    async with once.transaction() as db:
        return await settle(db, await visit_queries.annotate(db, caller.practice_id, visit_id, **texts))


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
    """Its time is free again at once."""
    async with once.transaction() as db:
        if await visit_queries.cancel(db, caller.practice_id, caller.key_id, visit_id, data.reason) is None:
            await visit_queries.one(db, caller.practice_id, visit_id)
            raise VisitNotBooked
        _, visit = await whole_visit(db, setups, caller.practice_id, visit_id)
        answer = await once.settled(db, Written("Visit cancelled successfully", visit), status=200)
    await disclosures.record(visit.patient_id)
    return answer


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
    return Appointment(
        provider_id=data.provider_id,
        visit_type=data.visit_type,
        day=data.visit_date,
        minute_of_day=_minutes(data.visit_time),
        seconds=data.visit_time.second,
        duration=data.visit_duration,
        provider_minute_of_day=_provider_minutes(data.provider_time, data.visit_time.second),
        provider_duration=None if data.provider_duration is UNSET else data.provider_duration,
    )


def _moved(row: Row, data: shapes.MoveVisit, clock: Clock) -> Appointment:
    """The time that a visit is to have. A provider's part that reached to its end goes on doing so."""
    had = clock.local(row["starts_at"])
    if had.fold and data.visit_time is UNSET:
        raise Invalid.at("body.VisitTime", "is required: this visit's is shown twice that night, and means the first")
    starts = had.time() if data.visit_time is UNSET else data.visit_time
    reached_the_end = row["provider_ends_at"] == row["ends_at"]
    kept = None if reached_the_end else minutes_between(row, "provider_starts_at", "provider_ends_at")
    return Appointment(
        provider_id=row["provider_id"] if data.provider_id is UNSET else data.provider_id,
        visit_type=row["visit_type"] if data.visit_type is UNSET else data.visit_type,
        day=had.date() if data.visit_date is UNSET else data.visit_date,
        minute_of_day=_minutes(starts),
        seconds=starts.second,
        duration=minutes_between(row, "starts_at", "ends_at") if data.visit_duration is UNSET else data.visit_duration,
        provider_after=minutes_between(row, "starts_at", "provider_starts_at"),
        provider_minute_of_day=_provider_minutes(data.provider_time, starts.second),
        provider_duration=kept if data.provider_duration is UNSET else data.provider_duration,
    )


def _provider_minutes(provider_time: LocalTime | UnsetType, seconds: int) -> int | None:
    if provider_time is UNSET:
        return None
    if provider_time.second != seconds:
        raise Invalid.at("body.ProviderTime", "must be a whole number of minutes after VisitTime")
    return _minutes(provider_time)


def _is_at(row: Row, appointment: Appointment, clock: Clock) -> bool:
    """Whether the visit has this very time, with this provider and of this type."""
    span = span_of(clock.zone, appointment)
    times = times_of(Visit(span.duration, span.provider_after, span.provider_duration), span.start)
    asked = times.starts_at, times.ends_at, times.provider_starts_at, times.provider_ends_at
    had = tuple(row[name] for name in ("starts_at", "ends_at", "provider_starts_at", "provider_ends_at"))
    return tuple(moment + timedelta(seconds=appointment.seconds) for moment in asked) == had and (
        appointment.provider_id,
        appointment.visit_type,
    ) == (row["provider_id"], row["visit_type"])


def _minutes(local: time) -> int:
    return local.hour * 60 + local.minute
