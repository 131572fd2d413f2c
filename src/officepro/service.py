"""How the service itself is doing, for whoever starts, watches and balances it. (API.md: Service)"""

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from typing import Literal

import msgspec
from litestar import Router, get
from litestar.datastructures import State

from officepro.access.asked import TheDatabase
from officepro.access.guards import is_open
from officepro.foundation.database import Database
from officepro.foundation.documented import documented
from officepro.foundation.errors import OfficeProError, Unavailable
from officepro.migrations.run import revisions

DATABASE_ANSWERS_WITHIN_SECONDS = 2.0


class NotReady(Unavailable):
    """The service cannot take requests just now; `missing` names what it lacks."""

    code = "not_ready"


class Alive(msgspec.Struct):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(msgspec.Struct):
    """Requests may be sent here."""

    status: Literal["ready"] = "ready"


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
    """Ready means: the database answers, its schema is the one that this version works with, and the process is not
    about to stop."""
    missing = [lack async for lack in _lacks(database, is_draining=bool(state.get("draining")))]
    if missing:
        raise NotReady(f"Not ready: {'; '.join(missing)}.", missing=missing)
    return Ready()


async def _lacks(database: Database, *, is_draining: bool) -> AsyncIterator[str]:
    if is_draining:
        yield "this process is about to stop"
    try:
        async with asyncio.timeout(DATABASE_ANSWERS_WITHIN_SECONDS):
            revision = await database.revision()
    except (OfficeProError, TimeoutError):
        yield f"the database does not answer within {DATABASE_ANSWERS_WITHIN_SECONDS:g} seconds"
        return
    # A revision that is unknown here is a newer version's, whose migration runs before it is deployed everywhere.
    if revision is None or (revision in _revisions() and revision != _revisions()[0]):
        yield f"the database is at revision {revision or 'none'} instead of {_revisions()[0]}"


_revisions = cache(revisions)  # it reads every revision's file


router = Router(
    "/",
    guards=[is_open("what starts, watches and balances this service has no key")],
    route_handlers=[healthz, readyz],
    tags=["Service"],
)
