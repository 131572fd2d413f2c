"""A database whose clock can be set: now(), clock_timestamp() and statement_timestamp() of a schema that is searched
before pg_catalog, in every session that begins afterwards, in the functions and in the columns' defaults."""

from dataclasses import dataclass

import asyncpg

_INSTALL = """
CREATE SCHEMA shifted;
CREATE TABLE shifted.clock (ahead interval NOT NULL);
INSERT INTO shifted.clock VALUES ('0');
CREATE FUNCTION shifted.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT pg_catalog.now() + ahead FROM shifted.clock';
CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM shifted.clock';
CREATE FUNCTION shifted.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT pg_catalog.statement_timestamp() + ahead FROM shifted.clock';
GRANT USAGE ON SCHEMA shifted TO PUBLIC;
GRANT SELECT ON shifted.clock TO PUBLIC;
"""
_FUNCTIONS = """
SELECT format('ALTER FUNCTION %s SET search_path = shifted, pg_catalog, public, pg_temp', oid::regprocedure)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND 'search_path=public, pg_temp' = ANY (proconfig)
"""
_DEFAULTS = """
SELECT format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT shifted.%s', adrelid::regclass, attname,
              pg_get_expr(adbin, adrelid))
FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
WHERE pg_get_expr(adbin, adrelid) IN ('now()', 'clock_timestamp()')
"""


@dataclass
class ShiftedClock:
    owner: asyncpg.Connection  # which sees the shifted clock too

    async def ahead(self, days: int) -> None:
        await self.owner.execute("UPDATE shifted.clock SET ahead = make_interval(days => $1)", days)


async def install(owner: asyncpg.Connection, database: str) -> ShiftedClock:
    await owner.execute(_INSTALL)
    for statements in (_FUNCTIONS, _DEFAULTS):
        for row in await owner.fetch(statements):
            await owner.execute(row[0])
    path = "shifted, pg_catalog, public"
    await owner.execute(f"ALTER DATABASE {database} SET search_path = {path}")
    await owner.execute(f"SET search_path = {path}")
    return ShiftedClock(owner)
