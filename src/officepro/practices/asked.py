"""What a handler of the set-up asks for: `practice: ThePractice`, whose practicepass stands in the address."""

from typing import Any

from litestar.di import NamedDependency, Provide
from litestar.types import Scope

from officepro.foundation.database import Database
from officepro.practices import queries

ThePractice = NamedDependency[queries.Practice]


# No bounds: what no practicepass can be is unknown, like any other.
async def _practice(scope: Scope) -> Any:
    database: Database = scope["litestar_app"].state.database
    async with database.system() as db:
        return await queries.practice_named(db, scope["path_params"]["practicepass"])


PRACTICE_PROVIDED = {"practice": Provide(_practice)}
