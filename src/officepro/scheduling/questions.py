"""Batch loader for availability queries: concurrent queries of all practices are sent as one statement.
(docs/decisions/0010)

A round trip costs more than the rows: of the 70 µs that PostgreSQL spends on a query about one day, 12 are for rows.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from operator import itemgetter
from typing import Any, Protocol

import msgspec
from litestar.di import NamedDependency
from litestar.types import Scope

from officepro.foundation.database import Connection, Database, Row, each_asked
from officepro.foundation.joining import Joined
from officepro.foundation.wire import encode

MOST_TOGETHER = 64  # queries per statement


class Question(msgspec.Struct, frozen=True, eq=False):
    """A query about one practice's visits, as SQL for a single call and for a batch.

    `bound` runs on a connection that is bound to the practice. `together` binds itself to the practice of each query
    in the batch; if that failed, row-level security would leave the version NULL, and no result would be returned.
    """

    bound: str
    together: str  # its argument: a JSON list of objects with `names`
    names: tuple[str, ...]

    @classmethod
    def about(cls, columns: str, whose: str, asks: Mapping[str, str]) -> "Question":
        """Build both statements. `asks` maps the parameter names in `whose` to their SQL types."""
        found = f"SELECT {columns} {whose}"
        bound, together = found.replace(":practice", "$1"), found.replace(":practice", "this.practice_id")
        for place, (name, kind) in enumerate(asks.items(), 2):
            bound = bound.replace(f":{name}", f"${place}::{kind}")
            together = together.replace(f":{name}", f"asked.{name}")
        return cls(
            f"""
            SELECT (SELECT version FROM practice_setup WHERE practice_id = $1) AS version, found.*
            FROM ({bound}) AS found
            """,
            f"""
            SELECT (SELECT version FROM practice_setup WHERE practice_id = this.practice_id) AS version, found.*, place
            FROM {each_asked({"practice_id": "bigint", **asks})}, LATERAL ({together}) AS found
            """,
            ("practice_id", *asks),
        )


class Asked(msgspec.Struct, frozen=True):
    """A query with its arguments, in the order of `question.names` after the practice."""

    question: Question
    practice_id: int
    arguments: tuple[Any, ...]
    is_short: bool  # one provider, about a week at most


class Visits(Protocol):
    """Loader of availability queries: on a given connection, or batched."""

    async def ask(self, asked: Asked) -> Row:
        """Run a query and return its row."""
        ...

    def bound(self, practice_id: int) -> AbstractAsyncContextManager[Connection]:
        """Return a connection bound to the practice, for other queries."""
        ...


class OnConnection:
    """Unbatched loader on a connection that is already bound to the practice."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def ask(self, asked: Asked) -> Row:
        """Run a query and return its row."""
        row = await self._db.fetchrow(asked.question.bound, asked.practice_id, *asked.arguments)
        assert row is not None
        return row

    def bound(self, practice_id: int) -> AbstractAsyncContextManager[Connection]:
        """Return the connection."""
        return nullcontext(self._db)


class Together:
    """Batch loader; one instance per worker process.

    Long queries are not batched, and none are where a statement may concern one practice only or sessions are pooled.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking: dict[Question, Joined[Asked, Row]] = {}

    @property
    def is_distributed(self) -> bool:
        """Whether the tables are distributed, so that `xmin` does not identify the writer."""
        return self._database.is_distributed

    def bound(self, practice_id: int) -> AbstractAsyncContextManager[Connection]:
        """Return a pooled connection bound to the practice."""
        return self._database.practice(practice_id)

    async def ask(self, asked: Asked) -> Row:
        """Run a query, batched if possible, and return its row. Raises the errors of `Database`."""
        if not (asked.is_short and self._database.keeps_sessions):
            async with self._database.practice(asked.practice_id) as db:
                return await OnConnection(db).ask(asked)
        asking = self._asking.get(asked.question)
        if asking is None:
            asking = self._asking[asked.question] = Joined(self._ask_all, MOST_TOGETHER)
        return await asking.do(asked)

    async def _ask_all(self, several: Sequence[Asked]) -> list[Row]:
        async with self._database.unbound() as db:
            return await ask_together(db, several)


TheVisits = NamedDependency[Together]  # for handlers


def provide_visits(scope: Scope) -> Any:
    """Return the worker's batch loader, for dependency injection."""
    return scope["litestar_app"].state.visits


async def ask_together(db: Connection, several: Sequence[Asked]) -> list[Row]:
    """Run queries of one kind, for any practices, in one statement; return their rows in order.

    `db` need not be bound to a practice. A query whose only parameter is the practice is run once per practice.
    """
    question = several[0].question
    wishes = [(one.practice_id, *one.arguments) for one in several]
    if is_of_practice := len(question.names) == 1:
        wishes = list(dict.fromkeys(wishes))
    asked = [dict(zip(question.names, wish, strict=True)) for wish in wishes]
    rows = await db.fetch(question.together, encode(asked).decode())
    if not is_of_practice:
        return sorted(rows, key=itemgetter("place"))
    told = {wishes[row["place"] - 1]: row for row in rows}
    return [told[(one.practice_id,)] for one in several]
