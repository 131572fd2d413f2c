"""Group commit of bookings: one statement writes concurrent bookings of all practices, with their disclosures.
(docs/decisions/0012)

`visit_writes.book` is used instead where a statement may concern one practice only (distributed databases), and where
the work takes more than one statement (a dry run, an Idempotency-Key, a third attempt).
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
    """A visit to be booked, and the disclosure to be logged with it."""

    practice_id: int
    api_key_id: int
    patient_id: int
    provider_id: int
    rooms: list[int] | None  # the first one still free is assigned; None: the visit needs no room
    visit_type: str
    times: Times
    complaint: str | None
    notes: str | None
    disclosure: Disclosure


class Bookings:
    """Group commit of bookings; one instance per worker process."""

    def __init__(self, database: Database) -> None:
        self._writes = JoinedWrites(database, BOOK)

    @property
    def may_be_joined(self) -> bool:
        """Whether one statement may write bookings of several practices."""
        return self._writes.is_possible

    async def book(self, booking: Booking) -> tuple[int, int | None]:
        """Insert visit, history, event and disclosure; return VisitID and RoomID.

        Raises ProviderTaken, RoomTaken, UnknownPatient, and the errors that `MEANING` maps other constraints to.
        """
        fields = asdict(booking)  # named as the SQL function expects
        booked = await self._writes.do(fields | asdict(fields.pop("times")) | fields.pop("disclosure").request())
        return booked["visit_id"], booked["room_id"]


TheBookings = NamedDependency[Bookings]  # for handlers


def provide_bookings(scope: Scope) -> Any:
    """Return the worker's `Bookings`, for dependency injection."""
    return scope["litestar_app"].state.bookings
