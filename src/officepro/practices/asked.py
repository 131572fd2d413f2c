"""Handler dependency `practice: ThePractice`: the practice named by the practicepass in the URL."""

from typing import Any

from litestar.di import NamedDependency, Provide
from litestar.types import Scope

from officepro.foundation.database import Database
from officepro.practices import queries

ThePractice = NamedDependency[queries.Practice]


# No length limit: an impossible practicepass returns 404 like any other.
async def _practice(scope: Scope) -> Any:
    database: Database = scope["litestar_app"].state.database
    async with database.system() as db:
        return await queries.practice_named(db, scope["path_params"]["practicepass"])


PRACTICE_PROVIDED = {"practice": Provide(_practice)}
