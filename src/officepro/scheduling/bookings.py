"""Visits that are booked at the same moment, in whatever practices, are written by one statement and so by one commit,
each with the row that puts its disclosure on record. (docs/decisions/0012)

Where a statement may concern one practice only, and for all that is more than one statement (a dry run, an
Idempotency-Key, a third attempt), `visit_writes.book` does the same.
"""

from typing import Any

import msgspec
from litestar.di import NamedDependency
from litestar.types import Scope
from msgspec.structs import asdict

from officepro.activity.ledger import Disclosure
from officepro.foundation.database import Database
from officepro.foundation.joining import JoinedWrites
from officepro.scheduling.visit_writes import Times

BOOK = "SELECT visit_id, room_id, refused_by FROM book_disclosed_visits($1)"


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
        self._writes = JoinedWrites(database, BOOK)

    @property
    def may_be_joined(self) -> bool:
        return self._writes.is_possible

    async def book(self, booking: Booking) -> tuple[int, int | None]:
        """Visit, history, event and disclosure; answers VisitID and RoomID. Raises ProviderTaken, RoomTaken,
        UnknownPatient, and whatever else a violated constraint means."""
        fields = asdict(booking)  # by the names that the SQL function knows
        booked = await self._writes.do(fields | asdict(fields.pop("times")) | fields.pop("disclosure").request())
        return booked["visit_id"], booked["room_id"]


TheBookings = NamedDependency[Bookings]  # in a handler: where a visit is booked together with others


def provide_bookings(scope: Scope) -> Any:
    return scope["litestar_app"].state.bookings
