"""Partitions: there before they are needed, emptied out of the default one, and dropped no earlier than is allowed."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from officepro.foundation.database import Database
from officepro.maintenance import partitions
from officepro.maintenance.partitions import DELIVERIES, LOG, REQUESTS
from officepro.settings import Settings
from tests.world import House

COLUMN = {"log": "occurred_at", "webhook_delivery": "created_at", "request_log": "happened_at"}
INSERT = {
    "log": "INSERT INTO log (practice_id, log_id, scope, event, data, occurred_at) "
    "VALUES (1, $1::text::bigint, 'Claims', 'claim.paid', '{}', pg_catalog.now() + $2::interval)",
    "webhook_delivery": "INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, data, "
    "occurred_at, hook_url, state, created_at) VALUES (1, 1, 'live', 'webhook.test', $1, '{}', now(), '', 'cancelled', "
    "pg_catalog.now() + $2::interval)",
    "request_log": "INSERT INTO request_log (happened_at, method, endpoint, status, duration_microseconds, address, "
    "request_id) VALUES (pg_catalog.now() + $2::interval, 'GET', '/', 200, 1, '', $1)",
}
ALL = (LOG, DELIVERIES, REQUESTS)


@pytest.fixture
async def own(server: object, name: str, own_settings: Settings) -> AsyncIterator[Database]:
    database = await Database.connect(own_settings.database_url, pool_size=6)
    yield database
    await database.close()


@pytest.fixture
async def own_owner(server: object, name: str, own_settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(own_settings.database_url.replace("officepro@", "postgres@"))
    yield connection
    await connection.close()


async def partitions_of(owner: asyncpg.Connection, table: str) -> set[str]:
    rows = await owner.fetch("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::regclass", table)
    return {row[0] for row in rows}


async def days(owner: asyncpg.Connection, table: str) -> list[int]:
    """How far ahead each row of a table lies."""
    rows = await owner.fetch(
        f"SELECT round(extract(epoch FROM {COLUMN[table]} - now()) / 86400) FROM {table} ORDER BY 1"
    )
    return [int(row[0]) for row in rows]


async def test_rows_of_the_default_partition_go_where_they_belong(own: Database, own_owner: asyncpg.Connection) -> None:
    """A clock that was 150 days ahead, and one that was years behind, have left rows that have no partition."""
    for partitioned in ALL:
        table = partitioned.table
        for number, ahead in enumerate((150, 151, 185, 220, -900)):
            await own_owner.execute(INSERT[table], str(number), timedelta(days=ahead))
        assert await own_owner.fetchval(f"SELECT count(*) FROM ONLY {table}_default") == 5
        before = await partitions_of(own_owner, table)

        await partitions.add(own, partitioned)
        made = await partitions_of(own_owner, table) - before
        await partitions.add(own, partitioned)

        assert await own_owner.fetchval(f"SELECT count(*) FROM ONLY {table}_default") == 0
        assert await days(own_owner, table) == [-900, 150, 151, 185, 220]
        assert len(made) >= 4
        assert await partitions_of(own_owner, table) - before == made
        await are_like_their_parent(own_owner, table, made)


async def are_like_their_parent(owner: asyncpg.Connection, table: str, made: set[str]) -> None:
    constraints = """
        SELECT contype::text || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1::regclass ORDER BY 1
    """
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid = $1::regclass AND indisvalid"
    policies = "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = $1::regclass"
    for question in (constraints, indexes, policies):
        whole = await owner.fetch(question, table)
        for partition in made:
            assert await owner.fetch(question, partition) == whole, partition
    attached = """
        SELECT count(*) FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid WHERE indrelid = ANY ($1::regclass[])
    """
    each: int = await owner.fetchval(indexes, table)
    assert await owner.fetchval(attached, list(made)) == each * len(made)


async def test_partitions_are_added_by_the_database_s_clock_and_no_more_than_a_year_ahead(database: Database) -> None:
    for first in ("now() + interval '367 days'", "'infinity'", "'-infinity'", "now() - interval '21 years'"):
        await is_refused(database, f"SELECT add_partitions('log', 'month', {first}, 1)", "clock_out_of_range", "OP001")
    for arguments in ("'patient', 'month', now(), 1", "'log', 'hour', now(), 1", "'log', 'month', now(), 63"):
        await is_refused(database, f"SELECT add_partitions({arguments})", "not a partitioned table", "P0001")


async def is_refused(database: Database, statement: str, why: str, sqlstate: str) -> None:
    with pytest.raises(Exception, match=why) as refused:
        async with database.system() as db:
            await db.execute(statement)
    assert getattr(refused.value, "sqlstate", "") == sqlstate


@pytest.mark.parametrize(
    ("table", "floor_days"), [("log", 365), ("webhook_delivery", 30), ("request_log", 30), ("disclosure", 6 * 365)]
)
async def test_nothing_below_its_retention_floor_is_dropped(
    database: Database, house: House, table: str, floor_days: int
) -> None:
    """Called as officepro_system, as an attacker with the worker's login would."""
    before = await partitions_of(house.owner, table)
    for moment in ("now() + interval '1 year'", "now()", f"now() - interval '{floor_days - 1} days'", "'infinity'"):
        statement = f"SELECT drop_partitions('{table}', {moment})"
        await is_refused(database, statement, "below_retention_floor", "OP002")
    assert await partitions_of(house.owner, table) == before


async def test_what_is_older_than_its_retention_is_dropped(own: Database, own_owner: asyncpg.Connection) -> None:
    for partitioned in ALL:
        for number, ahead in enumerate((-500, -1)):
            await own_owner.execute(INSERT[partitioned.table], str(number), timedelta(days=ahead))
        await partitions.add(own, partitioned)

    await partitions.drop(own, LOG, 400)
    await partitions.drop_deliveries(own, 90)
    await partitions.drop(own, REQUESTS, 90)

    assert [await days(own_owner, each.table) for each in ALL] == [[-1]] * 3


async def test_a_partition_with_a_delivery_that_is_open_stays(own: Database, own_owner: asyncpg.Connection) -> None:
    """On a subscription that was paused for months: what it is owed is not dropped."""
    for number, ahead in enumerate((-500, -200)):
        await own_owner.execute(INSERT["webhook_delivery"], str(number), timedelta(days=ahead))
    await own_owner.execute("UPDATE webhook_delivery SET state = 'queued' WHERE event_id = '1'")
    await partitions.add(own, DELIVERIES)

    await partitions.drop_deliveries(own, 90)
    assert await days(own_owner, "webhook_delivery") == [-200]

    await own_owner.execute("UPDATE webhook_delivery SET state = 'cancelled'")
    await partitions.drop_deliveries(own, 90)
    assert await days(own_owner, "webhook_delivery") == []
