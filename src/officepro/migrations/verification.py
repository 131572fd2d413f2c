"""What a process checks before it uses the database: the server, the login, and the schema's revision."""

from functools import cache

from officepro.foundation.database import CannotConnect, Database, Mode, NotMigrated
from officepro.migrations import known
from officepro.settings import Settings

_revisions = cache(known.revisions)  # it reads the names of all revisions' files


async def verify(settings: Settings) -> None:
    """Raises CannotConnect, NotMigrated, WrongServer, WrongRole."""
    database = await Database.connect(settings.database_url, mode=Mode(settings.database_mode), pool_size=1)
    try:
        revision = await database.revision()
    finally:
        await database.close()
    # A revision that is unknown here is a newer version's, whose migration runs before it is deployed everywhere.
    newest, *older = _revisions()
    if revision is None:
        raise NotMigrated
    if revision in older:
        raise NotMigrated(f"The database is at revision {revision} instead of {newest}: run officepro migrate.")


async def refuse_what_waiting_does_not_mend(settings: Settings) -> None:
    """A database that is away, or not migrated yet, is waited for; a wrong password, login, database, file, server or
    role ends the start.

    Raises CannotConnect, WrongServer, WrongRole."""
    try:
        await verify(settings)
    except CannotConnect as error:
        if error.is_permanent:
            raise
    except NotMigrated:
        return
