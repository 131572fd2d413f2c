"""Writer of the request log: in batches, outside the request's path.

A request costs one append to a list. Calls are written by one statement when 40 are waiting, and every 0.15 s in any
case; a killed worker loses no more than those. Batches are small, so that no request waits behind a large one. Once a
second each process that has written adds the new rows to the daily figures. (docs/decisions/0017)
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import msgspec
from litestar.types import Scope

from officepro.access.caller import Caller
from officepro.access.queries import KeyState
from officepro.activity import queries
from officepro.foundation.clock import now
from officepro.foundation.database import Database
from officepro.foundation.database_errors import level_of, log_fields
from officepro.foundation.errors import OfficeProError
from officepro.foundation.input import template

WORTH_WRITING = 40  # calls; a statement costs as much as writing twenty of them
FLUSH_SECONDS = 0.15  # the longest delay of fewer calls
REST_SECONDS = 0.03  # least delay between two statements, so that batches grow under load
SUM_SECONDS = 1.0
MAXIMUM_WAITING = 50_000  # while the database is unavailable; the oldest are dropped, and counted
MAXIMUM_BATCH = 5_000
LONGEST_MICROSECONDS = 2**31 - 1
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "(unknown)"
TURNED_AWAY = "(turned away)"
# A client's request id is stored only if it cannot contain personal data: a UUID, a ULID, or 24 to 64 hex digits.
_ANONYMOUS_ID = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25}|[0-9A-Fa-f]{24,64}"
)

logger = logging.getLogger("officepro")


class Done(msgspec.Struct):
    """One request, when its response has been sent."""

    scope: Scope
    status: int
    duration_seconds: float
    was_turned_away: bool = False  # by the edge middleware: too many requests were in flight
    route: tuple[str, str] = ("", "")  # method and route template, taken from the scope

    def __post_init__(self) -> None:
        """Set the route. Methods outside the standard are stored as OTHER. Of the path only the template is stored,
        never its values, which may be personal data."""
        method: str = self.scope["method"]  # type: ignore[typeddict-item]
        if method not in METHODS:
            method = "OTHER"
        found = self.scope.get("path_template")
        self.route = (method, TURNED_AWAY if self.was_turned_away else template(found) if found else UNKNOWN)


class Call(msgspec.Struct, frozen=True):
    """One row of the request log."""

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
    practicepass: str | None = None  # of the path: identifies the practice where practice_id is None
    client_request_id: str | None = None


def _storable(practicepass: str | None) -> str | None:
    """Return None for text that cannot be a practicepass: PostgreSQL rejects NUL and lone surrogates, and with them the
    whole batch."""
    return practicepass if practicepass and practicepass.isascii() and practicepass.isprintable() else None


def _anonymous(client_request_id: str | None) -> str | None:
    """Return None for an id that could contain a person's name, number or address: the request log has no personal
    data."""
    return client_request_id if client_request_id and _ANONYMOUS_ID.fullmatch(client_request_id) else None


class Recorder:
    """Collects calls and writes them to the request log. One instance per worker process."""

    def __init__(self) -> None:
        self._waiting: deque[Call] = deque()
        self._is_worth_writing = asyncio.Event()
        self._has_unsummed = True  # there may be rows of a process that was killed
        self._writing = asyncio.Lock()  # so that flush waits for a write in progress
        self._summing = asyncio.Lock()
        self.given_up = 0

    @property
    def waiting(self) -> int:
        """Number of calls that are not yet written."""
        return len(self._waiting)

    def note(self, done: Done) -> None:
        """Add a call. The edge middleware calls this when a response has been sent."""
        scope: dict[str, Any] = done.scope  # type: ignore[assignment]
        if not scope["path"].startswith("/v1/"):
            return
        if len(self._waiting) >= MAXIMUM_WAITING:
            self._waiting.popleft()
            self.given_up += 1
        caller: Caller | None = scope.get("caller")
        key: Caller | KeyState | None = caller or scope.get("logged_key")
        self._waiting.append(
            Call(
                now(),
                *done.route,
                done.status,
                min(int(done.duration_seconds * 1_000_000), LONGEST_MICROSECONDS),
                key.partner_id if key else None,
                key.key_id if key else None,
                caller.practice_id if caller else None,
                scope["address"],
                scope["request_id"],
                _storable(scope.get("logged_practicepass")),
                _anonymous(scope.get("client_request_id")),
            )
        )
        if len(self._waiting) == WORTH_WRITING:
            self._is_worth_writing.set()

    @asynccontextmanager
    async def writing(self, database: Database) -> AsyncIterator[None]:
        """Context in which calls are written; at its end the rest is flushed."""
        tasks = [
            asyncio.create_task(again_and_again(database))
            for again_and_again in (self._write_again_and_again, self._sum_again_and_again)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.flush(database)

    async def flush(self, database: Database) -> None:
        """Write and sum the waiting calls. They stay for a later retry if the database is unavailable."""
        await self._write(database)
        await self._sum(database)

    async def _write_again_and_again(self, database: Database) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._is_worth_writing.wait()
            await asyncio.shield(self._write(database))
            await asyncio.sleep(REST_SECONDS)

    async def _sum_again_and_again(self, database: Database) -> None:
        while True:
            await asyncio.sleep(SUM_SECONDS)
            await asyncio.shield(self._sum(database))

    async def _write(self, database: Database) -> None:
        async with self._writing:
            self._is_worth_writing.clear()
            while self._waiting and await self._write_some(database):
                pass

    async def _write_some(self, database: Database) -> bool:
        """Write one batch. Return False if the database is unavailable."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAXIMUM_BATCH))]
        try:
            async with database.system() as db:
                await queries.write(db, batch)
            self._has_unsummed = True
        except OfficeProError as error:
            logger.log(level_of(error), "request log not written", extra={"calls": len(batch), **log_fields(error)})
            self._waiting.extendleft(reversed(batch))
            return False
        except Exception as error:  # not retried: it would fail again
            logger.error("request log given up", extra={"kind": type(error).__name__, "calls": len(batch)})
            self.given_up += len(batch)
        return True

    async def _sum(self, database: Database) -> None:
        async with self._summing:
            if not self._has_unsummed:
                return
            self._has_unsummed = False
            try:
                async with database.system() as db:
                    await queries.sum_up(db)
            except OfficeProError as error:
                logger.log(level_of(error), "request log not summed", extra=log_fields(error))
                self._has_unsummed = True
            except Exception as error:
                logger.error("request log not summed", extra={"kind": type(error).__name__})
                self._has_unsummed = True
