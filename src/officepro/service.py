"""How the service itself is doing, for whoever starts, watches and balances it. (API.md: Service)"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from typing import Literal

import msgspec
from litestar import Router, get
from litestar.datastructures import State

from officepro.access.asked import TheDatabase
from officepro.access.guards import is_open
from officepro.foundation.database import Database
from officepro.foundation.database_errors import sentence_of
from officepro.foundation.documented import documented
from officepro.foundation.errors import OfficeProError, Unavailable
from officepro.migrations.known import revisions

DATABASE_ANSWERS_WITHIN_SECONDS = 2.0
ROOM_IS_REMEMBERED_SECONDS = 1.0
ROOM_IS_TOLD_WITHIN_SECONDS = 1.0


class NotReady(Unavailable):
    """The service cannot take requests just now; `missing` names what it lacks."""

    code = "not_ready"


class Alive(msgspec.Struct):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(msgspec.Struct):
    """Requests may be sent here."""

    status: Literal["ready"] = "ready"


class Room:
    """Whether the database's disk has room, as it was a moment ago; one in each worker, since many may ask. What is
    known stays known while the database does not say: an answer that is late tells nothing of the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._was_left = True
        self._asked_at = -ROOM_IS_REMEMBERED_SECONDS

    async def is_left(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at >= ROOM_IS_REMEMBERED_SECONDS:
            self._asked_at = now  # who comes meanwhile does not ask as well
            with suppress(OfficeProError, TimeoutError):
                async with asyncio.timeout(ROOM_IS_TOLD_WITHIN_SECONDS):
                    self._was_left = await self._database.has_room()
        return self._was_left


@get("/healthz", summary="Is the process alive?", opt=documented(example_response={"status": "alive"}))
async def healthz() -> Alive:
    """Asks nothing but the process itself: start it anew when this fails."""
    return Alive()


@get(
    "/readyz",
    summary="May requests be sent here?",
    opt=documented(example_response={"status": "ready"}, errors=[NotReady]),
)
async def readyz(database: TheDatabase, state: State) -> Ready:
    """Ready means: the database answers and has room to write, its schema is the one that this version works with, and
    the process is not about to stop."""
    missing = [lack async for lack in _lacks(database, state.room, is_draining=bool(state.get("draining")))]
    if missing:
        raise NotReady(f"Not ready: {'; '.join(missing)}.", missing=missing)
    return Ready()


async def _lacks(database: Database, room: Room, *, is_draining: bool) -> AsyncIterator[str]:
    if is_draining:
        yield "this process is about to stop"
    try:
        async with asyncio.timeout(DATABASE_ANSWERS_WITHIN_SECONDS):
            revision = await database.revision()
    except (OfficeProError, TimeoutError) as error:
        yield sentence_of(error)
        return
    # A revision that is unknown here is a newer version's, whose migration runs before it is deployed everywhere.
    if revision is None or (revision in _revisions() and revision != _revisions()[0]):
        yield f"the database is at revision {revision or 'none'} instead of {_revisions()[0]}: run officepro migrate"
    if not await room.is_left():
        yield "the database cannot write: its disk is full, or fails"


_revisions = cache(revisions)  # it reads every revision's file


router = Router(
    "/",
    guards=[is_open("what starts, watches and balances this service has no key")],
    route_handlers=[healthz, readyz],
    tags=["Service"],
)
