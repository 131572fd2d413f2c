"""Checks before a process uses the database: server, login, schema revision."""

from functools import cache

from officepro.foundation.database import CannotConnect, Database, Mode, NotMigrated
from officepro.migrations import known
from officepro.settings import Settings

_revisions = cache(known.revisions)  # it lists a directory


async def verify(settings: Settings) -> None:
    """Connect and compare the revision. Raises CannotConnect, NotMigrated, WrongServer, WrongRole."""
    database = await Database.connect(settings.database_url, mode=Mode(settings.database_mode), pool_size=1)
    try:
        revision = await database.revision()
    finally:
        await database.close()
    # An unknown revision is of a newer version, whose migration runs before its deployment.
    newest, *older = _revisions()
    if revision is None:
        raise NotMigrated
    if revision in older:
        raise NotMigrated(f"The database is at revision {revision} instead of {newest}: run officepro migrate.")


async def refuse_what_waiting_does_not_mend(settings: Settings) -> None:
    """End the start for errors that are permanent: wrong password, login, database, file, server or role. An
    unavailable or not yet migrated database is retried later.

    Raises CannotConnect, WrongServer, WrongRole.
    """
    try:
        await verify(settings)
    except CannotConnect as error:
        if error.is_permanent:
            raise
    except NotMigrated:
        return
