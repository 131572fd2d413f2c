"""What a handler of the set-up asks for: `practice: ThePractice`, whose practicepass stands in the address."""

from typing import Annotated

from litestar.di import NamedDependency, Provide
from litestar.params import PathParameter

from officepro.access.asked import TheDatabase
from officepro.practices import queries

ThePractice = NamedDependency[queries.Practice]


# No bounds: what no practicepass can be is unknown, like any other.
async def _practice(practicepass: Annotated[str, PathParameter()], database: TheDatabase) -> queries.Practice:
    async with database.system() as db:
        return await queries.practice_named(db, practicepass)


PRACTICE_PROVIDED = {"practice": Provide(_practice)}
