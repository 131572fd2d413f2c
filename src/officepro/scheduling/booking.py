"""Reservation of a time, shared by book, hold and reschedule. Each is one transaction that succeeds or is refused.

1. Read the practice's availability: can the visit start then, and which room is best?
2. Write the visit under the exclusion constraints, with its history and its event.
3. On a conflict with a concurrent writer, retry from fresh data. Later attempts acquire the practice lock (the
   `log_head` row) first, so that a refusal is always caused by committed data.
4. Refuse with the reasons and up to three alternatives that can be booked as given.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypedDict, TypeVar

import msgspec

from officepro.access.caller import Caller
from officepro.access.once import Once
from officepro.foundation.database import Connection, Database, Unsettled
from officepro.foundation.errors import OfficeProError, Unavailable
from officepro.practices.setup import Setups
from officepro.scheduling.alternatives import REFUSALS, alternatives_to, refusal
from officepro.scheduling.appointment import (
    Appointment,
    ProviderTimeOutsideVisit,
    Span,
    TimeDoesNotExist,
    span_of,
    times_of,
)
from officepro.scheduling.diary import (
    InactiveVisitType,
    ProviderNotAllowed,
    SetupKeepsChanging,
    UnknownProvider,
    UnknownVisitType,
    Wanted,
    open_diary,
)
from officepro.scheduling.openings import Reason, choose_room
from officepro.scheduling.questions import OnConnection, Visits
from officepro.scheduling.visit_writes import ProviderTaken, RoomTaken, Times, take_turn

ATTEMPTS = 5
SIMPLE_ATTEMPTS = 2  # without the practice lock, which costs more than a second read and is seldom needed
PAUSE_SECONDS = 0.02

Written = TypeVar("Written")


class TooMuchAtOnce(Unavailable):
    """Too many concurrent bookings compete for the same times. Retry in a moment."""

    code = "booking_contention"


# Errors that `take` raises.
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


class Columns(TypedDict):
    """The columns of a visit that a place determines."""

    provider_id: int
    visit_type: str
    room_id: int | None
    needs_room: bool
    times: Times


class Place(msgspec.Struct, frozen=True):
    """A free time with the rooms free then, best first. `rooms` is None if the visit type needs no room."""

    times: Times
    rooms: list[int] | None
    zone: str  # the practice's time zone

    def columns(self, wanted: Appointment) -> Columns:
        """Return the columns of a visit at this place, in the best room."""
        return {
            "provider_id": wanted.provider_id,
            "visit_type": wanted.visit_type,
            "room_id": self.rooms[0] if self.rooms else None,
            "needs_room": self.rooms is not None,
            "times": self.times,
        }


class _Refused(Exception):
    """Internal: the requested time is not available."""

    def __init__(self, why: Sequence[Reason], span: Span) -> None:
        super().__init__()
        self.why = why
        self.span = span


class _Undone(Exception):
    """Internal: rolls back the transaction of a dry run and carries its result."""

    def __init__(self, written: Any) -> None:
        super().__init__()
        self.written = written


async def take(
    database: Database,
    once: Once,
    setups: Setups,
    caller: Caller,
    appointment: Appointment,
    write: Callable[[Connection, Place], Awaitable[Written]],
    but_visit: int | None = None,
    *,
    dry_run: bool = False,
    visits: Visits | None = None,
    write_at_once: Callable[[Place], Awaitable[Written]] | None = None,
) -> Written:
    """Find a free place for the appointment and write it; retry up to `ATTEMPTS` times on concurrent writes.

    `write` runs in the transaction; its last step may store the response under the idempotency key. If `write` is a
    single statement, no explicit transaction is needed: then pass `visits` to read with, and `write_at_once`, which
    writes the place or raises ProviderTaken or RoomTaken. A dry run performs the same work and rolls it back.
    Raises the errors in `NOT_TO_BE_HAD`.
    """

    def look(visits: Visits) -> Awaitable[Place]:
        return find_place(visits, setups, caller.practice_id, appointment, but_visit)

    for attempt in range(ATTEMPTS):
        is_simple = attempt < SIMPLE_ATTEMPTS and not dry_run and not once.has_key
        try:
            if is_simple and visits is not None and write_at_once is not None:
                return await write_at_once(await look(visits))
            async with once.transaction() as db:
                if attempt:
                    await take_turn(db, caller.practice_id)
                written = await write(db, await look(OnConnection(db)))
                if dry_run:
                    raise _Undone(written)
                return written
        except _Undone as undone:
            result: Written = undone.written
            return result
        except (ProviderTaken, RoomTaken):
            continue
        except Unsettled:
            # Another program writes visits without the practice lock: wait for its commit before the next attempt.
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt)
        except _Refused as refused:
            async with database.practice(caller.practice_id) as db:
                others = await alternatives_to(db, setups, caller.practice_id, appointment, refused.span, but_visit)
            raise refusal(refused.why, others) from None
    raise TooMuchAtOnce


async def find_place(
    visits: Visits, setups: Setups, practice_id: int, appointment: Appointment, but_visit: int | None = None
) -> Place:
    """Return the place for an appointment. Raises `_Refused` with the reasons if there is none.

    Takes one round trip if the practice configuration is cached.
    """
    wanted = Wanted(
        provider_ids=[appointment.provider_id],
        first=appointment.day,
        days=1,
        visit_type=appointment.visit_type,
        longest=appointment.duration,
        minute_of_day=appointment.minute_of_day,
        but_visit=but_visit,
    )
    diary = await open_diary(visits, setups, practice_id, wanted)
    span = span_of(diary.setup.zone, appointment)
    visit = diary.visit(span.duration, span.provider_after, span.provider_duration)
    why = diary.refuses(visit, span.start)
    if appointment.seconds and "off_grid" not in why:
        why.append("off_grid")
    if why:
        raise _Refused(why, span)
    rooms = diary.rooms()
    return Place(
        times_of(visit, span.start),
        None if rooms is None else choose_room(diary.window, visit, span.start, rooms),
        diary.setup.zone,
    )
