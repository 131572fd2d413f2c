"""The verbs: book, hold, reschedule. Each is one unit of work that takes a time nobody else has, or says why not.

look       at the practice's diary: may the visit start then, and which room is the best one?
write      the visit under the exclusion constraints, with its history and its event
repeat     from fresh state when somebody was faster; from the second time on after taking a turn, so that
           whoever is refused is refused by something that stands
refuse     with the reasons, and with up to three times that can be booked as they stand
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
SIMPLE_ATTEMPTS = 2  # without a turn of one's own, which costs more than a second look and is seldom needed
PAUSE_SECONDS = 0.02

Written = TypeVar("Written")


class TooMuchAtOnce(Unavailable):
    """Too many are booking the same times at once; try again in a moment."""

    code = "booking_contention"


# What `take` may raise, whatever is to be done with the time.
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
    """What a place fills in of a visit's row."""

    provider_id: int
    visit_type: str
    room_id: int | None
    needs_room: bool
    times: Times


class Place(msgspec.Struct, frozen=True):
    """A time found free, and the rooms that are free then, the best one first; None: it needs none."""

    times: Times
    rooms: list[int] | None
    zone: str  # the practice's

    def columns(self, wanted: Appointment) -> Columns:
        return {
            "provider_id": wanted.provider_id,
            "visit_type": wanted.visit_type,
            "room_id": self.rooms[0] if self.rooms else None,
            "needs_room": self.rooms is not None,
            "times": self.times,
        }


class _Refused(Exception):
    """Inside this module: the time is not to be had."""

    def __init__(self, why: Sequence[Reason], span: Span) -> None:
        super().__init__()
        self.why = why
        self.span = span


class _Undone(Exception):
    """Inside this module: a dry run has come to its end."""

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
    """Finds the place and lets `write` take it, again from fresh state while others are faster.

    `write` runs inside the unit of work and may end it by `once.settled`. Where it is one statement, no unit of work is
    needed: `visits` says where to look, and `write_at_once` writes what was found, or raises ProviderTaken, RoomTaken.
    A dry run does all the same, and undoes it. Raises SlotUnavailable and its like.
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
            # Somebody writes visits without taking turns: let them come to their end before the next attempt.
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt)
        except _Refused as refused:
            async with database.practice(caller.practice_id) as db:
                others = await alternatives_to(db, setups, caller.practice_id, appointment, refused.span, but_visit)
            raise refusal(refused.why, others) from None
    raise TooMuchAtOnce


async def find_place(
    visits: Visits, setups: Setups, practice_id: int, appointment: Appointment, but_visit: int | None = None
) -> Place:
    """One round trip when the worker remembers the set-up."""
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
