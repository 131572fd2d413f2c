"""Logins of the database server for one test, gone afterwards; roles belong to the whole server, so each has a name
that no other test process gives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

ROLES = "officepro_app, officepro_system"


@asynccontextmanager
async def login(owner: asyncpg.Connection, database_name: str, attributes: str = "") -> AsyncIterator[str]:
    """The name of a new login that may take the application's roles."""
    name = f"test_login_of_{database_name}"
    await owner.execute(f"DROP ROLE IF EXISTS {name}")
    await owner.execute(f"CREATE ROLE {name} LOGIN NOINHERIT {attributes}")
    await owner.execute(f"GRANT {ROLES} TO {name}")
    try:
        yield name
    finally:
        await owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
