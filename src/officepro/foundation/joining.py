"""What several want of the database at the same moment is done for them together, since a round trip costs more than
most of what is done by it.

Nobody waits for company: who comes first goes at once, and who comes while that is under way goes with all that came
since. Where it takes long, those do not wait for it either.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from officepro.foundation.database import MEANING, Connection, Database, DatabaseUnavailable, Row, Unsettled
from officepro.foundation.errors import Unavailable
from officepro.foundation.wire import encode

PATIENCE_SECONDS = 0.02  # with what is under way: many times what it takes
MOST_WRITTEN = 16  # by one statement, which holds as many practices at most
BUSY = "busy"  # somebody else has been at work in the practice for longer than others should wait for it
NO_NAME = ""  # a partition was attached meanwhile: see database.raise_explained

Wish = TypeVar("Wish")
Result = TypeVar("Result")


class Joined(Generic[Wish, Result]):
    """One in each worker for each kind of wish."""

    def __init__(self, work: Callable[[Sequence[Wish]], Awaitable[Sequence[Result]]], most: int) -> None:
        """`work` gives the results in the order of the wishes, of which it gets `most` at a time. It does all or none:
        where it raises anything else than Unavailable, each is tried again alone."""
        self._work = work
        self._most = most
        self._waiting: list[_Waiting] = []
        self._is_at_work = False
        self._tasks: set[asyncio.Task[None]] = set()  # which nobody else holds on to

    async def do(self, wish: Wish) -> Result:
        """Raises what the work does."""
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
                several = [one for one in self._waiting[: self._most] if not one.result.done()]  # who is done has gone
                del self._waiting[: self._most]
                if several:
                    await asyncio.wait([self._start(self._do(several))], timeout=PATIENCE_SECONDS)
        finally:
            self._is_at_work = False
            for one in self._waiting:  # the worker stops
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
            else:  # what is wrong with one must not harm the others
                await asyncio.gather(*(self._do([one]) for one in several))


class JoinedWrites:
    """What is written together, in whatever practices: by one statement, and so by one commit. One in each worker.

    The statement takes a JSON list of objects, each with its `practice_id`, and answers a row to each, in their order.
    Where its `refused_by` is not null nothing of that one stays: it is a constraint's name, or BUSY.
    """

    def __init__(self, database: Database, statement: str) -> None:
        self._database = database
        self._statement = statement
        self._joined: Joined[dict[str, Any], Row] = Joined(self._write, MOST_WRITTEN)

    @property
    def is_possible(self) -> bool:
        """Not where a statement may concern one practice only."""
        return self._database.keeps_sessions

    async def do(self, wish: dict[str, Any]) -> Row:
        """Raises what a violated constraint means."""
        row = await self._joined.do(wish)
        if row["refused_by"] == BUSY:  # wait for it alone
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
    """The rows in the order of the wishes. Those of a lower practice go first, so that no two statements wait for one
    another; `db` need not be bound."""
    order = sorted(range(len(several)), key=lambda place: several[place]["practice_id"])
    rows = await db.fetch(statement, encode([several[place] for place in order]).decode())
    by_place = dict(zip(order, rows, strict=True))
    return [by_place[place] for place in range(len(several))]


class _Waiting(msgspec.Struct):
    """One who waits."""

    wish: Any
    result: "asyncio.Future[Any]"

    def succeed(self, result: Any) -> None:
        if not self.result.done():
            self.result.set_result(result)

    def fail(self, failure: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(failure)
