"""How a question about visits reaches the database: on a connection of the asker's, or together with others.

A round trip costs more than what is read by it: of 70 µs that PostgreSQL spends on a question about one day, 12 are
for the rows. So those who look for free time at the same moment, in whatever practices, ask in one statement.
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

MOST_TOGETHER = 64  # questions in a statement


class Question(msgspec.Struct, frozen=True, eq=False):
    """What is asked about one practice's visits: one statement for a connection that is bound to the practice, and one
    for several such questions, which binds itself to the practice of one after the other. Where it failed to, the
    version would be empty, and nothing would be told.
    """

    bound: str
    together: str  # asked with a JSON list of `names`
    names: tuple[str, ...]

    @classmethod
    def about(cls, columns: str, whose: str, asks: Mapping[str, str]) -> "Question":
        """`asks` gives the names in `whose` their types."""
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
    """A question with what it is asked about; `arguments` are in the order of its names."""

    question: Question
    practice_id: int
    arguments: tuple[Any, ...]
    is_short: bool  # about a week of one provider at most


class Visits(Protocol):
    """Where it is asked: a connection, or together with others."""

    async def ask(self, asked: Asked) -> Row: ...

    def bound(self, practice_id: int) -> AbstractAsyncContextManager[Connection]:
        """For whatever else must be read."""
        ...


class OnConnection:
    """By a connection that is bound to the practice already."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def ask(self, asked: Asked) -> Row:
        row = await self._db.fetchrow(asked.question.bound, asked.practice_id, *asked.arguments)
        assert row is not None
        return row

    def bound(self, practice_id: int) -> AbstractAsyncContextManager[Connection]:
        return nullcontext(self._db)


class Together:
    """One in each worker. Where a statement may concern one practice only, everybody asks alone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking: dict[Question, Joined[Asked, Row]] = {}

    @property
    def is_distributed(self) -> bool:
        return self._database.is_distributed

    def bound(self, practice_id: int) -> AbstractAsyncContextManager[Connection]:
        return self._database.practice(practice_id)

    async def ask(self, asked: Asked) -> Row:
        """Raises what the database's failures mean."""
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


TheVisits = NamedDependency[Together]  # in a handler: where visits are asked for


def provide_visits(scope: Scope) -> Any:
    return scope["litestar_app"].state.visits


async def ask_together(db: Connection, several: Sequence[Asked]) -> list[Row]:
    """The answers to one question that several ask, of whatever practices, in their order; `db` need not be bound. What
    is asked of a practice alone is asked once."""
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
