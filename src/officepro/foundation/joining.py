"""Batching of database requests (batch loader, group commit): concurrent requests share one statement, since a round
trip costs more than most of the work that it does.

The first call runs at once. Calls arriving meanwhile form the next batch. If a batch takes over 20 ms the next one
starts without waiting for it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from officepro.foundation.database import MEANING, Connection, Database, DatabaseUnavailable, Row, Unsettled
from officepro.foundation.errors import Unavailable
from officepro.foundation.wire import encode

PATIENCE_SECONDS = 0.02  # before the next batch starts regardless; many times the usual duration
MOST_WRITTEN = 16  # writes in one batch, which locks at most as many practices
BUSY = "busy"  # another transaction holds the practice lock for longer than the batch should wait
NO_NAME = ""  # a partition was attached concurrently: see database.raise_explained

Wish = TypeVar("Wish")
Result = TypeVar("Result")


class Joined(Generic[Wish, Result]):
    """Batches calls of one kind. One in each worker for each kind."""

    def __init__(self, work: Callable[[Sequence[Wish]], Awaitable[Sequence[Result]]], most: int) -> None:
        """Create the batcher. `work` returns the results in the order of the calls, of which it gets at most `most`. It
        does all or none: if it raises anything other than Unavailable, each call is retried alone."""
        self._work = work
        self._most = most
        self._waiting: list[_Waiting] = []
        self._is_at_work = False
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop holds weak references only

    async def do(self, wish: Wish) -> Result:
        """Run one call in the next batch. Raises what `work` raises for it."""
        waiting = _Waiting(wish, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if not self._is_at_work:
            self._is_at_work = True
            self._start(self._work_while_anybody_waits())
        result: Result = await waiting.result
        return result

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work_while_anybody_waits(self) -> None:
        try:
            while self._waiting:
                several = [
                    one for one in self._waiting[: self._most] if not one.result.done()
                ]  # done: its caller was cancelled
                del self._waiting[: self._most]
                if several:
                    await asyncio.wait([self._start(self._do(several))], timeout=PATIENCE_SECONDS)
        finally:
            self._is_at_work = False
            for one in self._waiting:  # the worker is shutting down
                one.fail(DatabaseUnavailable())
            self._waiting.clear()

    async def _do(self, several: "Sequence[_Waiting]") -> None:
        try:
            results = await self._work([one.wish for one in several])
            for one, result in zip(several, results, strict=True):
                one.succeed(result)
        except Exception as failure:
            if len(several) == 1 or isinstance(failure, Unavailable):
                for one in several:
                    one.fail(failure)
            else:  # a failure of one must not affect the others
                await asyncio.gather(*(self._do([one]) for one in several))


class JoinedWrites:
    """Batches writes of any practices into one statement, and so one commit. One in each worker for each statement.

    The statement takes a JSON list of objects, each with its `practice_id`, and returns a row for each, in their order.
    If `refused_by` of a row is not null, nothing of that write is stored; it is a constraint's name, or BUSY."""

    def __init__(self, database: Database, statement: str) -> None:
        self._database = database
        self._statement = statement
        self._joined: Joined[dict[str, Any], Row] = Joined(self._write, MOST_WRITTEN)

    @property
    def is_possible(self) -> bool:
        """False where a statement may concern one practice only."""
        return self._database.keeps_sessions

    async def do(self, wish: dict[str, Any]) -> Row:
        """Run one write in the next batch. Raises the error that a violated constraint means, and Unsettled."""
        row = await self._joined.do(wish)
        if row["refused_by"] == BUSY:  # wait for the lock in a batch of its own
            (row,) = await self._write([wish])
        if row["refused_by"] == NO_NAME:
            raise Unsettled
        if row["refused_by"] is not None:
            raise MEANING[row["refused_by"]]
        return row

    async def _write(self, several: Sequence[dict[str, Any]]) -> list[Row]:
        practices = {wish["practice_id"] for wish in several}
        async with self._database.unbound(practices.pop() if len(practices) == 1 else None) as db:
            with db.saving():
                return await write_together(db, self._statement, several)


async def write_together(db: Connection, statement: str, several: Sequence[dict[str, Any]]) -> list[Row]:
    """Return the rows in the order of the writes. They run ordered by practice to avoid deadlocks; `db` need not be
    bound."""
    order = sorted(range(len(several)), key=lambda place: several[place]["practice_id"])
    rows = await db.fetch(statement, encode([several[place] for place in order]).decode())
    by_place = dict(zip(order, rows, strict=True))
    return [by_place[place] for place in range(len(several))]


class _Waiting(msgspec.Struct):
    """A call that waits for its result."""

    wish: Any
    result: "asyncio.Future[Any]"

    def succeed(self, result: Any) -> None:
        if not self.result.done():
            self.result.set_result(result)

    def fail(self, failure: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(failure)
