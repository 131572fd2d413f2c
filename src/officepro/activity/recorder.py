"""The request log is written here: in batches, off the request's path.

A request costs its own thread of work one append to a list. As soon as so many have come together that a statement is
worth it, and six times a second in any case, they are written by one; a killed worker loses no more than that. Small
pieces, so that nobody's request stands behind a big one. Once a second the daily figures are summed from what was
written, by whoever has written.
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
FLUSH_SECONDS = 0.15  # the longest that fewer than those wait
REST_SECONDS = 0.03  # between two statements at least, so that under much load the pieces grow
SUM_SECONDS = 1.0
MAXIMUM_WAITING = 50_000  # while the database is away; older ones are given up, and counted
MAXIMUM_BATCH = 5_000
LONGEST_MICROSECONDS = 2**31 - 1
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "(unknown)"
TURNED_AWAY = "(turned away)"
# A caller's request id is stored only where it can be about no person: a UUID, a ULID, or 24 to 64 hexadecimal digits.
_ANONYMOUS_ID = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25}|[0-9A-Fa-f]{24,64}"
)

logger = logging.getLogger("officepro")


class Done(msgspec.Struct):
    """One request, when its answer has left."""

    scope: Scope
    status: int
    duration_seconds: float
    was_turned_away: bool = False  # at the door: there were too many inside
    route: tuple[str, str] = ("", "")  # method and template, which its scope tells

    def __post_init__(self) -> None:
        """Anybody may make up a method: made-up ones are all the same to us. Of the address only the template is kept,
        never what stood in it itself, which may be about a person."""
        method: str = self.scope["method"]  # type: ignore[typeddict-item]
        if method not in METHODS:
            method = "OTHER"
        found = self.scope.get("path_template")
        self.route = (method, TURNED_AWAY if self.was_turned_away else template(found) if found else UNKNOWN)


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
    practicepass: str | None = None  # of the path: the practice where practice_id is None
    client_request_id: str | None = None


def _storable(practicepass: str | None) -> str | None:
    """None for what cannot be a practice's: the database refuses NUL and lone surrogates, and a batch with them."""
    return practicepass if practicepass and practicepass.isascii() and practicepass.isprintable() else None


def _anonymous(client_request_id: str | None) -> str | None:
    """None for an id that could hold a name, a number or an address of a person: the request log is about none."""
    return client_request_id if client_request_id and _ANONYMOUS_ID.fullmatch(client_request_id) else None


class Recorder:
    """Collects what was done and writes it down; one in each worker."""

    def __init__(self) -> None:
        self._waiting: deque[Call] = deque()
        self._is_worth_writing = asyncio.Event()
        self._has_unsummed = True  # somebody else's, who was killed
        self._writing = asyncio.Lock()  # so that who flushes waits for what is under way
        self._summing = asyncio.Lock()
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
        """While it lasts, everything noted is written down; what is left at its end as well."""
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
        """Writes and sums what waits. What cannot be, because the database is away, stays and is tried again."""
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
        """False where the database is away."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAXIMUM_BATCH))]
        try:
            async with database.system() as db:
                await queries.write(db, batch)
            self._has_unsummed = True
        except OfficeProError as error:
            logger.log(level_of(error), "request log not written", extra={"calls": len(batch), **log_fields(error)})
            self._waiting.extendleft(reversed(batch))
            return False
        except Exception as error:  # not to be tried again for ever
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
