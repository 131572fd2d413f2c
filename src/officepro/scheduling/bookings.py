"""Visits that are booked at the same moment, in whatever practices, are written by one statement and so by one commit,
each with the row that puts its disclosure on record. (docs/decisions/0012)

Where a statement may concern one practice only, and for all that is more than one statement (a dry run, an
Idempotency-Key, a third attempt), `visit_writes.book` does the same.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.di import NamedDependency
from litestar.types import Scope
from msgspec.structs import asdict

from officepro.activity.ledger import Disclosure
from officepro.foundation.database import MEANING, Connection, Database, Row
from officepro.foundation.joining import Joined
from officepro.scheduling.visit_writes import Times

MOST_TOGETHER = 16  # how many practices one transaction holds at most
BUSY = "busy"  # somebody else has been at work in the practice for longer than others should wait for it


class Booking(msgspec.Struct, frozen=True):
    """A visit that is to be booked, and what is put on record of it."""

    practice_id: int
    api_key_id: int
    patient_id: int
    provider_id: int
    rooms: list[int] | None  # of which the first that is still free is taken; None: it needs none
    visit_type: str
    times: Times
    complaint: str | None
    notes: str | None
    disclosure: Disclosure


class Bookings:
    """One in each worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing: Joined[Booking, Row] = Joined(self._book_all, MOST_TOGETHER)

    @property
    def may_be_joined(self) -> bool:
        return self._database.keeps_sessions

    async def book(self, booking: Booking) -> tuple[int, int | None]:
        """Visit, history, event and disclosure; answers VisitID and RoomID. Raises ProviderTaken, RoomTaken,
        UnknownPatient, and whatever else a violated constraint means."""
        booked = await self._writing.do(booking)
        if booked["refused_by"] == BUSY:  # wait for it alone
            (booked,) = await self._book_all([booking])
        if booked["refused_by"] is not None:
            raise MEANING[booked["refused_by"]]
        return booked["visit_id"], booked["room_id"]

    async def _book_all(self, several: Sequence[Booking]) -> list[Row]:
        async with self._database.unbound() as db:
            with db.saving():
                return await book_together(db, several)


async def book_together(db: Connection, several: Sequence[Booking]) -> list[Row]:
    """(visit_id, room_id, refused_by) of each, in their order; `db` need not be bound. Those of a lower
    practice go first, so that no two statements wait for one another."""
    order = sorted(range(len(several)), key=lambda place: several[place].practice_id)
    wanted = [_as_object(several[place]) for place in order]
    rows = await db.fetch("SELECT visit_id, room_id, refused_by FROM book_visits($1)", _encoder.encode(wanted).decode())
    by_place = dict(zip(order, rows, strict=True))
    return [by_place[place] for place in range(len(several))]


def _as_object(booking: Booking) -> dict[str, Any]:
    """As the SQL function reads it; what it does not know by name it passes over."""
    fields = asdict(booking)
    return fields | asdict(fields.pop("times")) | asdict(fields.pop("disclosure"))


_encoder = msgspec.json.Encoder()


TheBookings = NamedDependency[Bookings]  # in a handler: where a visit is booked together with others


def provide_bookings(scope: Scope) -> Any:
    return scope["litestar_app"].state.bookings
