"""Group commit of new patients: people created concurrently, in any practices, are written by one statement and one
commit, each with its row in the disclosure log. (docs/decisions/0012)

`queries.create` is used instead where a statement may concern only one practice, where the request needs further
statements (an Idempotency-Key), and for requests with a picture.
"""

from typing import Any

from litestar.di import NamedDependency
from litestar.types import Scope

from officepro.activity.ledger import Disclosure
from officepro.foundation.database import Database, Row
from officepro.foundation.joining import JoinedWrites

CREATE = "SELECT patient_id, full_name, created_at, refused_by FROM create_disclosed_patients($1)"


class Newcomers:
    """Group commit of new patients, one instance per worker."""

    def __init__(self, database: Database) -> None:
        self._writes = JoinedWrites(database, CREATE)

    @property
    def may_be_joined(self) -> bool:
        """True if the database supports writes of several practices in one statement."""
        return self._writes.is_possible

    async def create(self, columns: dict[str, Any], tokens: list[str], disclosure: Disclosure) -> Row:
        """Insert the person, their search tokens, an event and the disclosure, which is not assigned to a patient yet.

        Returns the person's number, full name and creation time. `columns` must be complete. Raises UnknownProvider.
        """
        return await self._writes.do({**disclosure.request(), "tokens": tokens, "person": columns})


TheNewcomers = NamedDependency[Newcomers]  # handler dependency for group-committed creation


def provide_newcomers(scope: Scope) -> Any:
    """Return the worker's Newcomers for a handler."""
    return scope["litestar_app"].state.newcomers
