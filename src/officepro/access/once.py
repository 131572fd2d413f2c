"""Idempotency-Key: a POST that is repeated does its work once and gives the same answer again. (API.md: Conventions)

The claim and the answer are part of the work's own transaction: a crash before the commit leaves neither, one after
it leaves both.

    async with once.transaction() as db:
        ...
        return await once.settled(db, Written("Visit booked successfully", visit))

A repeat leaves `once.transaction()` by Replay, which the failure handler turns into the stored answer. Refusals are
not stored, since they undo the transaction: a repeat of a refused request is tried anew.
"""

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
    """A request with this Idempotency-Key is still running; repeat it in a moment."""

    code = "idempotency_still_running"


class KeyReused(Impossible):
    """This Idempotency-Key was used with another body; a new request needs a new key."""

    code = "idempotency_key_reused"


class Replay(Exception):
    """The work was done before: this is what it answered."""

    def __init__(self, status: int, body: bytes, version: int | None = None) -> None:
        super().__init__()
        self.status = status
        self.body = body
        self.version = version  # of the record then, where the answer had an ETag


class Once:
    """The work of one POST, done once."""

    def __init__(
        self,
        database: Database,
        request: AnyRequest,
        caller: Caller | None,
        before_replay: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> None:
        """`before_replay` is awaited with the stored answer before that is given again."""
        self._database = database
        self._request = request
        self._before_replay = before_replay
        self._practice_id = NO_PRACTICE if caller is None else caller.practice_id
        self._api_key_id = 0 if caller is None else caller.key_id
        self._key = _key_of(request)

    @property
    def has_key(self) -> bool:
        return self._key is not None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction of the caller's practice."""
        try:
            async with self._database.practice_transaction(self._practice_id) as db:
                await self._claim(db)
                yield db
        except Replay as replay:
            if self._before_replay is not None:
                await self._before_replay(replay.body)
            raise

    async def refuse_repeat(self) -> None:
        """Raises Replay, KeyReused: for work that looks at things as they stand before its transaction begins, which a
        repeat would find changed by its first run."""
        if self._key is not None:
            async with self.transaction():
                pass

    @asynccontextmanager
    async def single_statement(self) -> AsyncIterator[Connection]:
        """For work that is one statement: without a key it needs no transaction around it."""
        if self._key is not None:
            async with self.transaction() as db:
                yield db
            return
        async with self._database.practice(self._practice_id, is_writing=True) as db:
            yield db

    @asynccontextmanager
    async def system_transaction(self) -> AsyncIterator[Connection]:
        """A transaction over all practices."""
        async with self._database.system_transaction() as db:
            await self._claim(db)
            yield db

    async def settled(self, db: Connection, answer: Answer, status: int = 201, version: int | None = None) -> Answer:
        """Keeps the answer with the work; the last thing before the transaction ends. `version` is that of its ETag."""
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
            # Another request passed the look-up in the same instant and was faster: this work is undone.
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
    key = header_of(scope, _HEADER)
    if key is None or (1 <= len(key) <= MAXIMUM_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        return None
    return Fault(f"header.{HEADER}", f"must be 1 to {MAXIMUM_KEY_CHARACTERS} printable ASCII characters")
