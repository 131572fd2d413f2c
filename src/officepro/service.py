"""Health endpoints for orchestrators, monitoring and load balancers. (API.md: Service)"""

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
    """The service is not ready for requests; see `missing`. Retry in a moment."""

    code = "not_ready"


class Alive(msgspec.Struct):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class Ready(msgspec.Struct):
    """The process is ready for requests."""

    status: Literal["ready"] = "ready"


class Room:
    """Cache of whether the database's disk has free space. One in each worker, since many clients may poll. Without an
    answer from the database the last result stays valid: a late answer says nothing about the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._was_left = True
        self._asked_at = -ROOM_IS_REMEMBERED_SECONDS

    async def is_left(self) -> bool:
        """Return whether the disk had free space when it was last checked, at most a second ago."""
        now = time.monotonic()
        if now - self._asked_at >= ROOM_IS_REMEMBERED_SECONDS:
            self._asked_at = now  # concurrent requests do not query as well
            with suppress(OfficeProError, TimeoutError):
                async with asyncio.timeout(ROOM_IS_TOLD_WITHIN_SECONDS):
                    self._was_left = await self._database.has_room()
        return self._was_left


@get("/healthz", summary="Check that the process is alive", opt=documented(example_response={"status": "alive"}))
async def healthz() -> Alive:
    """Liveness probe; restart the process if it fails."""
    return Alive()


@get(
    "/readyz",
    summary="Check that requests can be sent to this process",
    opt=documented(example_response={"status": "ready"}, errors=[NotReady]),
)
async def readyz(database: TheDatabase, state: State) -> Ready:
    """Readiness probe. Ready means: the database responds and has free disk space, its schema is compatible with this
    version, and the process is not shutting down."""
    missing = [lack async for lack in _lacks(database, state.room, is_draining=bool(state.get("draining")))]
    if missing:
        raise NotReady(f"Not ready: {'; '.join(missing)}.", missing=missing)
    return Ready()


async def _lacks(database: Database, room: Room, *, is_draining: bool) -> AsyncIterator[str]:
    if is_draining:
        yield "this process is shutting down"
    try:
        async with asyncio.timeout(DATABASE_ANSWERS_WITHIN_SECONDS):
            revision = await database.revision()
    except (OfficeProError, TimeoutError) as error:
        yield sentence_of(error)
        return
    # An unknown revision belongs to a newer version, whose migration runs before it is deployed on all machines.
    if revision is None or (revision in _revisions() and revision != _revisions()[0]):
        yield f"the database is at revision {revision or 'none'} instead of {_revisions()[0]}: run officepro migrate"
    if not await room.is_left():
        yield "the database cannot write: its disk is full or failing"


_revisions = cache(revisions)  # reads the file of every revision


router = Router(
    "/",
    guards=[is_open("orchestrators, monitoring and load balancers have no key")],
    route_handlers=[healthz, readyz],
    tags=["Service"],
)
