"""`officepro distribute` against the stand-in for Citus, which refuses what Citus refuses. (tests/citus.py)"""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from officepro.foundation.database import Database, Mode, WrongServer
from officepro.foundation.distribution import LOCAL_TABLES, UNFINISHED
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations import distribution, run
from officepro.migrations.distribution import DistributionRefused, distribute
from tests.citus import stand_in
from tests.cli.command import officepro_with
from tests.conftest import ADMIN_SECRET, KEYS, clone
from tests.house.statements import parsed
from tests.house.test_migrations import schema, with_revision

_numbers = count(1)


@pytest.fixture
async def bare(server: EmbeddedServer, worker_id: str) -> AsyncIterator[asyncpg.Connection]:
    """A migrated database of its own, without Citus."""
    name = await asyncio.to_thread(clone, server, f"distributed_{worker_id}_{next(_numbers)}")
    owner = await asyncpg.connect(server.url(name))
    yield owner
    await owner.execute("ALTER ROLE officepro_app NOLOGIN; ALTER ROLE officepro_system NOLOGIN")
    await owner.close()
    caretaker = await asyncpg.connect(server.url("postgres"))
    await caretaker.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await caretaker.close()


@pytest.fixture
async def citus(bare: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """The same with Citus, and a practice in it."""
    async with stand_in(bare):
        await bare.execute(
            "INSERT INTO practice (practicepass, name, time_zone) VALUES ('Here', 'Here', 'UTC');"
            "INSERT INTO practice_setup (practice_id) SELECT practice_id FROM practice;"
            "INSERT INTO idempotency VALUES (0, 0, 'POST /', 'key', '', 201, '')"
        )
        yield bare


async def url_of(server: EmbeddedServer, owner: asyncpg.Connection) -> str:
    return server.url(await owner.fetchval("SELECT current_database()"))


@pytest.fixture
async def url(server: EmbeddedServer, bare: asyncpg.Connection) -> str:
    return await url_of(server, bare)


async def spread(owner: asyncpg.Connection) -> dict[str, set[str]]:
    """The tables by what has become of them."""
    rows = await owner.fetch(
        """
        SELECT c.relname, coalesce(d.partmethod::text, 'local') AS how FROM pg_class c
        LEFT JOIN pg_dist_partition d ON d.logicalrel = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        """
    )
    return {how: {row["relname"] for row in rows if row["how"] == how} for how in ("h", "n", "local")}


async def calls(owner: asyncpg.Connection) -> list[str]:
    return [row["call"] for row in await owner.fetch("SELECT call FROM stand_in_calls ORDER BY number")]


def done(owner_url: str) -> int:
    return distribute(owner_url, lambda statement: None)


async def test_everything_goes_where_it_belongs_and_is_as_before(citus: asyncpg.Connection, url: str) -> None:
    before = await asyncio.to_thread(schema, url)

    assert await asyncio.to_thread(done, url) > 100

    found = await spread(citus)
    assert {"visit", "patient", "log", "webhook_delivery", "idempotency", "log_head"} <= found["h"]
    assert {"practice", "partner", "api_key", "webhook_subscription", "product", "article"} <= found["n"]
    assert found["local"] == LOCAL_TABLES
    assert (
        await citus.fetchval("SELECT count(DISTINCT colocationid) FROM pg_dist_partition WHERE partmethod = 'h'") == 1
    )
    assert await asyncio.to_thread(schema, url) == before  # every foreign key, wall and grant
    asked = await calls(citus)
    kinds = [call.split()[0] for call in asked]
    assert kinds == sorted(kinds, key=["reference", "distributed", "truncated"].index)
    assert {call.split()[1] for call in asked if call.startswith("truncated")} == found["h"] | found["n"]


async def test_the_walls_stand_and_the_roles_can_be_called_by_other_nodes(citus: asyncpg.Connection, url: str) -> None:
    await asyncio.to_thread(done, url)

    open_walls = await citus.fetch("SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity")
    assert open_walls == []
    logins = await citus.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'officepro\\_%' AND rolcanlogin ORDER BY 1"
    )
    assert [row["rolname"] for row in logins] == ["officepro_app", "officepro_system"]


async def test_partitions_are_added_and_dropped_as_before(citus: asyncpg.Connection, url: str) -> None:
    """A distributed table's are created in place, for Citus distributes them with their parent; the others attached."""
    await asyncio.to_thread(done, url)
    for table, unit in (("log", "month"), ("webhook_delivery", "month"), ("request_log", "day")):
        ahead = f"now() + 40 * interval '1 day' + 9 * interval '1 {unit}'"
        partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = $1::regclass"
        before = await citus.fetchval(partitions, table)
        assert await citus.fetchval(f"SELECT add_partitions($1, $2, {ahead}, 1)", table, unit) == 1
        assert await citus.fetchval(partitions, table) == before + 1
        assert await citus.fetchval("SELECT empty_default_partition($1, $2)", table, unit) == 0
        assert await citus.fetchval("SELECT drop_partitions($1, now() - interval '2 years')", table) == 0


async def test_a_second_run_does_nothing(citus: asyncpg.Connection, url: str) -> None:
    await asyncio.to_thread(done, url)
    asked = await calls(citus)

    assert await asyncio.to_thread(distribution.plan, url) == []
    assert await asyncio.to_thread(done, url) == 0
    assert await calls(citus) == asked


class BrokenOff(Exception):
    """The operator pressed Ctrl-C."""


async def test_what_breaks_off_again_and_again_is_finished(
    citus: asyncpg.Connection, url: str, server: EmbeddedServer
) -> None:
    before = await asyncio.to_thread(schema, url)
    whole = len(await asyncio.to_thread(distribution.plan, url))
    runs = 0

    def some() -> None:
        told = count(1)

        def tell(statement: str) -> None:
            if next(told) > whole // 6:
                raise BrokenOff

        distribute(url, tell)

    while True:
        runs += 1
        assert runs < 60
        try:
            await asyncio.to_thread(some)
        except BrokenOff:
            if not await citus.fetchval(f"SELECT to_regclass('{UNFINISHED}') IS NULL"):
                with pytest.raises(WrongServer, match="not finished"):
                    await Database.connect(url.replace("postgres@", "officepro@"), mode=Mode.DISTRIBUTED)
        else:
            break

    assert runs > 3
    assert await asyncio.to_thread(schema, url) == before
    assert (await spread(citus))["local"] == LOCAL_TABLES
    asked = await calls(citus)
    assert len({call for call in asked if not call.startswith("truncated")}) == len(
        [call for call in asked if not call.startswith("truncated")]
    )


async def test_a_statement_that_fails_is_told_and_can_be_taken_up(citus: asyncpg.Connection, url: str) -> None:
    await citus.execute("CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    await citus.execute("CREATE TRIGGER noting AFTER INSERT ON tag EXECUTE FUNCTION noted()")

    with pytest.raises(DistributionRefused, match=r"create_distributed_table\('tag'.*\n.*has triggers") as refused:
        await asyncio.to_thread(done, url)
    assert "run officepro distribute again" in str(refused.value)

    await citus.execute("DROP TRIGGER noting ON tag")
    assert await asyncio.to_thread(done, url)
    assert "tag" in (await spread(citus))["h"]


async def test_without_citus_it_is_refused_and_the_plan_is_shown(
    bare: asyncpg.Connection, url: str, server: EmbeddedServer, tmp_path: Path
) -> None:
    before = await asyncio.to_thread(schema, url)
    environment = {
        "OFFICEPRO_DATABASE_URL": url.replace("postgres@", "officepro@"),
        "OFFICEPRO_OWNER_DATABASE_URL": url,
        "OFFICEPRO_DATA_DIR": str(tmp_path),
        "OFFICEPRO_ADMIN_SECRET": ADMIN_SECRET,
        "OFFICEPRO_TOKEN_KEYS": KEYS,
        "OFFICEPRO_ENCRYPTION_KEYS": KEYS,
    }
    refused = await officepro_with(environment, "distribute")
    planned = await officepro_with(environment, "distribute", "--plan")

    assert (refused.exit_code, refused.out) == (1, "")
    assert refused.err.startswith("officepro: Citus is not installed in this database")
    assert (planned.exit_code, planned.err) == (0, "")
    assert len(parsed(planned.out)) > 150  # by PostgreSQL's own grammar
    assert await asyncio.to_thread(schema, url) == before

    async with stand_in(bare):  # what was printed is what another session can run
        await bare.execute("SET client_min_messages = warning")
        for statement in planned.out.strip().split(";\n"):
            await bare.execute(statement)
        assert (await spread(bare))["local"] == LOCAL_TABLES
        assert await asyncio.to_thread(schema, url) == before


async def test_a_service_at_work_is_not_distributed(citus: asyncpg.Connection, url: str) -> None:
    at_work = await asyncpg.connect(url, server_settings={"application_name": "officepro"})
    try:
        with pytest.raises(DistributionRefused, match="is running"):
            await asyncio.to_thread(done, url)
    finally:
        await at_work.close()
    assert await calls(citus) == []


async def test_a_coordinator_that_does_not_know_itself_is_told_how_to(citus: asyncpg.Connection, url: str) -> None:
    await citus.execute("DELETE FROM pg_dist_node WHERE groupid = 0")
    with pytest.raises(DistributionRefused, match="citus_set_coordinator_host"):
        await asyncio.to_thread(done, url)


async def test_an_older_revision_is_migrated_first(citus: asyncpg.Connection, url: str) -> None:
    await citus.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(DistributionRefused, match="officepro migrate"):
        await asyncio.to_thread(done, url)


async def test_the_stand_in_refuses_another_order(citus: asyncpg.Connection) -> None:
    """The control: what the plan does first is needed."""
    with pytest.raises(asyncpg.RaiseError, match="has triggers"):
        await citus.execute("SELECT create_distributed_table('visit', 'practice_id')")
    with pytest.raises(asyncpg.RaiseError, match="foreign key"):
        await citus.execute("SELECT create_distributed_table('room', 'practice_id')")
    with pytest.raises(asyncpg.RaiseError, match="row-level security"):
        await citus.execute("SELECT create_distributed_table('idempotency', 'practice_id')")
    with pytest.raises(asyncpg.RaiseError, match="partitioned"):
        await citus.execute("SELECT create_reference_table('request_log')")
    with pytest.raises(asyncpg.RaiseError, match="does not include the distribution column"):
        await citus.execute("SELECT create_distributed_table('request_day_duration', 'bucket_of_its_own')")


# ---- Revisions after that.

NEW_TABLE = '''
"""A tenant's table, as a revision makes one."""
from alembic import op
revision, down_revision = "9998", "{newest}"

def upgrade():
    op.execute("""
        CREATE TABLE allergy (
            practice_id bigint NOT NULL, allergy_id bigint NOT NULL, patient_id bigint NOT NULL,
            CONSTRAINT allergy_key PRIMARY KEY (practice_id, allergy_id)
        );
        SELECT raise_wall('allergy', 'SELECT, INSERT');
        {spread}
        CREATE TEMPORARY TABLE how AS SELECT 1 / (current_setting('citus.multi_shard_modify_mode') = 'sequential')::int;
        ALTER TABLE allergy ADD CONSTRAINT allergy_patient FOREIGN KEY (practice_id, patient_id) REFERENCES patient;
    """)
'''


@pytest.mark.parametrize("is_distributed", [False, True])
async def test_a_revision_works_in_both_worlds(
    citus: asyncpg.Connection, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_distributed: bool
) -> None:
    if is_distributed:
        await asyncio.to_thread(done, url)
    text = NEW_TABLE.format(newest=run.revisions()[0], spread="SELECT spread_table('allergy');")
    with_revision(tmp_path, monkeypatch, "9998_allergies.py", text)

    await asyncio.to_thread(run.migrate, url)

    assert ("allergy" in (await spread(citus))["h"]) == is_distributed
    assert await asyncio.to_thread(done, url) == 0 if is_distributed else True


async def test_one_that_forgets_it_does_not_come_through(
    citus: asyncpg.Connection, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    await asyncio.to_thread(done, url)
    text = NEW_TABLE.format(newest=run.revisions()[0], spread="")
    with_revision(tmp_path, monkeypatch, "9998_allergies.py", text)

    with pytest.raises(run.MigrationRefused, match="rolled back"):
        await asyncio.to_thread(run.migrate, url)


async def test_a_table_that_came_later_is_distributed_by_another_run(citus: asyncpg.Connection, url: str) -> None:
    await asyncio.to_thread(done, url)
    await citus.execute(
        "CREATE TABLE allergy (practice_id bigint, allergy_id bigint, PRIMARY KEY (practice_id, allergy_id));"
        "SELECT raise_wall('allergy', 'SELECT')"
    )

    with pytest.raises(WrongServer, match=": allergy"):
        await Database.connect(url.replace("postgres@", "officepro@"), mode=Mode.DISTRIBUTED)
    assert await asyncio.to_thread(done, url)

    assert "allergy" in (await spread(citus))["h"]
    assert (
        await citus.fetchval("SELECT count(DISTINCT colocationid) FROM pg_dist_partition WHERE partmethod = 'h'") == 1
    )
