"""Idempotency: run a POST at most once per Idempotency-Key; a retry gets the stored response. (API.md: Conventions)

Key and response are stored in the request's own transaction: a crash before the commit leaves neither, one after it
leaves both.

    async with once.transaction() as db:
        ...
        return await once.settled(db, Written("Visit booked successfully", visit))

A retry leaves `once.transaction()` by Replay, which an exception handler turns into the stored response. Refusals are
not stored, since they roll the transaction back: a retry of a refused request runs again."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from litestar.types import Scope

from officepro.access.caller import Caller
from officepro.foundation.database import NO_PRACTICE, Connection, Database
from officepro.foundation.errors import Conflict, Fault, Impossible, Invalid
from officepro.foundation.input import AnyRequest, header_of
from officepro.foundation.wire import encode

MAXIMUM_KEY_CHARACTERS = 255
KEPT_HOURS = 24
HEADER = "Idempotency-Key"
_HEADER = HEADER.lower().encode()

Answer = TypeVar("Answer")


class StillRunning(Conflict):
    """A request with this Idempotency-Key is still in progress. Retry it in a moment."""

    code = "idempotency_still_running"


class KeyReused(Impossible):
    """This Idempotency-Key was used with a different body. Use a new key for a new request."""

    code = "idempotency_key_reused"


class Replay(Exception):
    """The request ran before; holds its stored response."""

    def __init__(self, status: int, body: bytes, version: int | None = None) -> None:
        super().__init__()
        self.status = status
        self.body = body
        self.version = version  # of the record at that time, if the response had an ETag


class Once:
    """Runs a POST at most once per Idempotency-Key."""

    def __init__(
        self,
        database: Database,
        request: AnyRequest,
        caller: Caller | None,
        before_replay: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> None:
        """Create it for one request. `before_replay` is awaited with a stored response before that is returned again.
        Raises Invalid for a malformed key."""
        self._database = database
        self._request = request
        self._before_replay = before_replay
        self._practice_id = NO_PRACTICE if caller is None else caller.practice_id
        self._api_key_id = 0 if caller is None else caller.key_id
        self._key = _key_of(request)

    @property
    def has_key(self) -> bool:
        """Whether the request has an Idempotency-Key."""
        return self._key is not None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction of the caller's practice. Raises Replay, KeyReused, StillRunning."""
        try:
            async with self._database.practice_transaction(self._practice_id) as db:
                await self._claim(db)
                yield db
        except Replay as replay:
            if self._before_replay is not None:
                await self._before_replay(replay.body)
            raise

    async def refuse_repeat(self) -> None:
        """Raises Replay, KeyReused, StillRunning. For requests that read data before their transaction begins, which
        their first run has changed."""
        if self._key is not None:
            async with self.transaction():
                pass

    @asynccontextmanager
    async def single_statement(self) -> AsyncIterator[Connection]:
        """Open a connection for a request that is one statement: without a key it needs no transaction."""
        if self._key is not None:
            async with self.transaction() as db:
                yield db
            return
        async with self._database.practice(self._practice_id, is_writing=True) as db:
            yield db

    @asynccontextmanager
    async def system_transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction over all practices. Raises Replay, KeyReused, StillRunning."""
        async with self._database.system_transaction() as db:
            await self._claim(db)
            yield db

    async def settled(self, db: Connection, answer: Answer, status: int = 201, version: int | None = None) -> Answer:
        """Store the response under the Idempotency-Key in this transaction. Call last. `version` is that of the
        response's ETag. Raises StillRunning."""
        if self._key is not None and not await db.fetchval(
            f"""
            INSERT INTO idempotency AS kept
                (practice_id, api_key_id, route, idempotency_key, request_sha256, status, body, version)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT ON CONSTRAINT idempotency_once DO UPDATE
            SET request_sha256 = excluded.request_sha256, status = excluded.status, body = excluded.body,
                version = excluded.version, created_at = excluded.created_at
            WHERE excluded.created_at - kept.created_at > interval '{KEPT_HOURS} hours'
            RETURNING true
            """,
            *self._identity,
            await self._fingerprint(),
            status,
            encode(answer),
            version,
        ):
            # A concurrent request with the same key committed first: this transaction is rolled back.
            raise StillRunning
        return answer

    @property
    def _identity(self) -> tuple[int, int, str, str]:
        assert self._key is not None
        route = f"{self._request.scope['method']} {self._request.scope['path']}"
        return self._practice_id, self._api_key_id, route, self._key

    async def _claim(self, db: Connection) -> None:
        if self._key is None:
            return
        identity = self._identity
        found = await db.fetchrow(
            f"""
            SELECT pg_try_advisory_xact_lock(
                       hashtextextended(concat_ws(' ', $1::bigint, $2::bigint, $3::text, $4::text), 0)) AS mine,
                   kept.request_sha256, kept.status, kept.body, kept.version
            FROM (VALUES (1)) AS always LEFT JOIN idempotency kept
              ON practice_id = $1 AND api_key_id = $2 AND route = $3 AND idempotency_key = $4
             AND created_at >= now() - interval '{KEPT_HOURS} hours'
            """,
            *identity,
        )
        assert found is not None
        if found["request_sha256"] is not None:
            if found["request_sha256"] != await self._fingerprint():
                raise KeyReused
            raise Replay(found["status"], found["body"], found["version"])
        if not found["mine"]:
            raise StillRunning

    async def _fingerprint(self) -> bytes:
        query = self._request.scope["query_string"]
        return hashlib.sha256(query + b"\0" + await self._request.body()).digest()


def _key_of(request: AnyRequest) -> str | None:
    key = header_of(request.scope, _HEADER)
    if key is None:
        return None
    if fault := fault_of_key(request.scope):
        raise Invalid([fault])
    return key


def fault_of_key(scope: Scope) -> Fault | None:
    """Return the validation error of the request's Idempotency-Key, or None."""
    key = header_of(scope, _HEADER)
    if key is None or (1 <= len(key) <= MAXIMUM_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        return None
    return Fault(f"header.{HEADER}", f"must be 1 to {MAXIMUM_KEY_CHARACTERS} printable ASCII characters")
