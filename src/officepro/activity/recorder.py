"""The request log is written here: in batches, off the request's path.

A request costs its own thread of work one append to a list. Six times a second what has come together is written
by one statement, rows and daily figures alike; a killed worker loses no more than that.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import msgspec
from litestar.types import Scope

from officepro.access.caller import Caller
from officepro.activity import queries
from officepro.foundation.clock import now
from officepro.foundation.database import Database
from officepro.foundation.errors import OfficeProError
from officepro.foundation.input import template

FLUSH_SECONDS = 0.15
MAXIMUM_WAITING = 50_000  # while the database is away; older ones are given up, and counted
MAXIMUM_BATCH = 5_000
LONGEST_MICROSECONDS = 2**31 - 1
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "(unknown)"
TURNED_AWAY = "(turned away)"

logger = logging.getLogger("officepro")


class Done(msgspec.Struct, frozen=True):
    """One request, when its answer has left."""

    scope: Scope
    status: int
    duration_seconds: float
    was_turned_away: bool = False  # at the door: there were too many inside

    @property
    def method(self) -> str:
        """Anybody may make up a method; made-up ones are all the same to us."""
        method: str = self.scope["method"]  # type: ignore[typeddict-item]
        return method if method in METHODS else "OTHER"

    @property
    def endpoint(self) -> str:
        """The route's template: never what stood in the address itself, which may be about a person."""
        if self.was_turned_away:
            return TURNED_AWAY
        found = self.scope.get("path_template")
        return template(found) if found else UNKNOWN


class Call(msgspec.Struct, frozen=True):
    """One request as the log keeps it."""

    happened_at: datetime
    method: str
    endpoint: str
    status: int
    duration_microseconds: int
    partner_id: int | None
    api_key_id: int | None
    practice_id: int | None
    address: str
    request_id: str


class Recorder:
    """Collects what was done and writes it down; one in each worker."""

    def __init__(self) -> None:
        self._waiting: deque[Call] = deque()
        self.given_up = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def note(self, done: Done) -> None:
        """Called by the door when an answer has left."""
        scope: dict[str, Any] = done.scope  # type: ignore[assignment]
        if not scope["path"].startswith("/v1/"):
            return
        if len(self._waiting) >= MAXIMUM_WAITING:
            self._waiting.popleft()
            self.given_up += 1
        caller: Caller | None = scope.get("caller")
        self._waiting.append(
            Call(
                now(),
                done.method,
                done.endpoint,
                done.status,
                min(int(done.duration_seconds * 1_000_000), LONGEST_MICROSECONDS),
                caller.partner_id if caller else None,
                caller.key_id if caller else None,
                caller.practice_id if caller else None,
                scope["address"],
                scope["request_id"],
            )
        )

    @asynccontextmanager
    async def writing(self, database: Database) -> AsyncIterator[None]:
        """While it lasts, everything noted is written down; what is left at its end as well."""
        task = asyncio.create_task(self._write_again_and_again(database))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.flush(database)

    async def _write_again_and_again(self, database: Database) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await asyncio.shield(self.flush(database))

    async def flush(self, database: Database) -> None:
        """What cannot be written because the database is away stays and is tried again."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAXIMUM_BATCH))]
            try:
                async with database.system() as db:
                    await queries.write(db, batch)
            except OfficeProError as error:
                logger.warning("request log not written", extra={"cause": error.code, "calls": len(batch)})
                self._waiting.extendleft(reversed(batch))
                return
            except Exception as error:  # not to be tried again for ever
                logger.error("request log given up", extra={"kind": type(error).__name__, "calls": len(batch)})
                self.given_up += len(batch)
