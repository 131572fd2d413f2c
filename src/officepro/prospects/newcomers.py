"""People who are created at the same moment, in whatever practices, are written by one statement and so by one commit,
each with the row that puts its disclosure on record. (docs/decisions/0012)

Where a statement may concern one practice only, and for all that is more than one statement (an Idempotency-Key) or
heavy (a picture), `queries.create` does the same.
"""

from typing import Any

from litestar.di import NamedDependency
from litestar.types import Scope

from officepro.activity.ledger import Disclosure
from officepro.foundation.database import Database, Row
from officepro.foundation.joining import JoinedWrites

CREATE = "SELECT patient_id, full_name, created_at, refused_by FROM create_disclosed_patients($1)"


class Newcomers:
    """One in each worker."""

    def __init__(self, database: Database) -> None:
        self._writes = JoinedWrites(database, CREATE)

    @property
    def may_be_joined(self) -> bool:
        return self._writes.is_possible

    async def create(self, columns: dict[str, Any], tokens: list[str], disclosure: Disclosure) -> Row:
        """Person, what they are found by, event and disclosure, which is of nobody yet; answers the person's number,
        full name and moment. `columns` are all of them. Raises UnknownProvider."""
        return await self._writes.do({**disclosure.request(), "tokens": tokens, "person": columns})


TheNewcomers = NamedDependency[Newcomers]  # in a handler: where people are created together with others


def provide_newcomers(scope: Scope) -> Any:
    return scope["litestar_app"].state.newcomers
