"""The two walls between practices stand around every table, whichever room adds it. (ARCHITECTURE.md: Tenancy)"""

import asyncpg
import pytest

from officepro.foundation.database import Database
from tests.world import Office

# Tables with a practice_id that are not a practice's own, and why. The application's role has no grant on them at all
# (but reads the practices).
OF_NO_PRACTICE = {
    "practice": "the tenants themselves",
    "api_key": "a partner's, for one practice or all",
    "webhook_subscription": "a key's",
    "request": "the service's own record and statistics of calls: request_log, request_hour, …",
    "access_request": "asked for by strangers, answered by the admin",
    "portal_session": "a key's, or the admin's",
}
APPEND_ONLY = ("log", "disclosure", "visit_history", "ticket_history", "ticket_comment")


def is_of_no_practice(table: str) -> bool:
    return table in OF_NO_PRACTICE or table.partition("_")[0] in OF_NO_PRACTICE.keys() - {"practice"}


_TABLES = """
    SELECT table_.oid, table_.relname AS name, table_.relkind AS kind, table_.relispartition AS is_partition,
           coalesce(parent.relname, table_.relname) AS whole,
           table_.relrowsecurity AS enabled, table_.relforcerowsecurity AS forced
    FROM pg_class table_
    LEFT JOIN pg_inherits ON inhrelid = table_.oid LEFT JOIN pg_class parent ON parent.oid = inhparent
    WHERE table_.relnamespace = 'public'::regnamespace AND table_.relkind IN ('r', 'p')
      AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = table_.oid AND attname = 'practice_id' AND NOT attisdropped)
    ORDER BY table_.relname
"""


@pytest.fixture
async def tables(owner: asyncpg.Connection) -> list[asyncpg.Record]:
    """Every table with a practice_id that belongs to a practice, partitions too."""
    rows = [row for row in await owner.fetch(_TABLES) if not is_of_no_practice(row["whole"])]
    assert {"patient", "visit", "log", "log_default", "tag"} <= {row["name"] for row in rows}
    return rows


async def privileges(owner: asyncpg.Connection, role: str) -> dict[str, set[str]]:
    """What the role may do with each table, by any column's grant too."""
    rows = await owner.fetch(
        """
        SELECT relname, privilege FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',
               'REFERENCES', 'TRIGGER']) AS privilege
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND (
              has_table_privilege($1, oid, privilege) OR privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
              AND has_any_column_privilege($1, oid, privilege))
        """,
        role,
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["relname"], set()).add(row["privilege"])
    return found


async def test_every_table_of_a_practice_is_behind_forced_row_level_security(tables: list[asyncpg.Record]) -> None:
    assert [row["name"] for row in tables if not (row["enabled"] and row["forced"])] == []


async def test_every_table_of_a_practice_shows_the_application_that_practice_alone(
    tables: list[asyncpg.Record], owner: asyncpg.Connection
) -> None:
    policies = await owner.fetch(
        """
        SELECT tablename, policyname, permissive, cmd, qual, with_check FROM pg_policies
        WHERE schemaname = 'public' AND ('officepro_app' = ANY (roles) OR 'public' = ANY (roles))
        """
    )
    wall = "(practice_id = (NULLIF(current_setting('app.practice'::text, true), ''::text))::bigint)"
    whole = {row["name"] for row in tables if not row["is_partition"]}

    # One policy each, for reading and writing alike: a second permissive one would be a door beside the wall.
    assert {row["tablename"] for row in policies} == whole
    assert len(policies) == len(whole)
    assert {(row["permissive"], row["cmd"], row["qual"], row["with_check"]) for row in policies} == {
        ("PERMISSIVE", "ALL", wall, None)
    }


async def test_partitions_are_reached_through_their_parent_alone(
    tables: list[asyncpg.Record], owner: asyncpg.Connection
) -> None:
    partitions = {row["name"] for row in tables if row["is_partition"]}
    assert partitions
    for role in ("officepro_app", "officepro_system"):
        assert partitions & (await privileges(owner, role)).keys() == set(), role


async def test_a_partition_that_is_added_later_is_behind_the_wall_too(owner: asyncpg.Connection) -> None:
    transaction = owner.transaction()
    await transaction.start()
    try:
        name = await owner.fetchval("SELECT 'log_' || to_char(now() + interval '11 months', 'YYYYMM')")
        assert await owner.fetchval("SELECT add_partitions('log', 'month', now() + interval '11 months', 1)") == 1
        added = next(row for row in await owner.fetch(_TABLES) if row["name"] == name)
        assert (added["enabled"], added["forced"]) == (True, True)
        assert name not in await privileges(owner, "officepro_app")
    finally:
        await transaction.rollback()


async def test_what_is_of_no_practice_is_out_of_the_application_s_reach(owner: asyncpg.Connection) -> None:
    granted = await privileges(owner, "officepro_app")

    assert granted.pop("practice") == {"SELECT"}
    assert [table for table in granted if is_of_no_practice(table)] == []


async def test_every_key_of_a_practice_s_table_begins_with_the_practice(
    tables: list[asyncpg.Record], owner: asyncpg.Connection
) -> None:
    """Primary, unique, exclusion and foreign keys, and plain unique indexes: so the schema can be distributed."""
    constraints = await owner.fetch(
        """
        SELECT conname AS name, conrelid::regclass::text AS table_, contype AS kind, mine.attname AS first,
               theirs.attname AS first_there
        FROM pg_constraint
        JOIN pg_attribute mine ON mine.attrelid = conrelid AND mine.attnum = conkey[1]
        LEFT JOIN pg_attribute theirs ON theirs.attrelid = confrelid AND theirs.attnum = confkey[1]
        WHERE contype IN ('p', 'u', 'x', 'f') AND conrelid = ANY ($1::oid[])
        UNION ALL
        SELECT indexrelid::regclass::text, indrelid::regclass::text, 'i', attname, NULL
        FROM pg_index LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
        WHERE (indisunique OR indisexclusion) AND indrelid = ANY ($1::oid[])
        """,
        [row["oid"] for row in tables],
    )

    assert len(constraints) > 40
    assert [dict(row) for row in constraints if row["first"] != "practice_id"] == []
    foreign = [row for row in constraints if row["kind"] == b"f"]
    assert foreign
    assert [dict(row) for row in foreign if row["first_there"] != "practice_id"] == []
    assert {row["table_"] for row in constraints if row["kind"] == b"p"} == {row["name"] for row in tables}


async def test_the_practice_is_never_null(tables: list[asyncpg.Record], owner: asyncpg.Connection) -> None:
    nullable = await owner.fetch(
        """
        SELECT attrelid::regclass::text FROM pg_attribute
        WHERE attname = 'practice_id' AND NOT attnotnull AND attrelid = ANY ($1::oid[])
        """,
        [row["oid"] for row in tables],
    )
    assert nullable == []


@pytest.mark.parametrize("role", ["officepro_app", "officepro_system"])
async def test_what_was_written_down_cannot_be_changed_afterwards(owner: asyncpg.Connection, role: str) -> None:
    granted = await privileges(owner, role)
    partitions = await owner.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'log'::regclass"
    )
    for table in (*APPEND_ONLY, *(row["name"] for row in partitions)):
        assert granted.get(table, set()) <= {"SELECT", "INSERT"}, table


async def test_the_role_over_all_practices_has_no_grant_on_people_and_visits(owner: asyncpg.Connection) -> None:
    about_people = {
        row["name"]
        for row in await owner.fetch(
            """
            SELECT DISTINCT attrelid::regclass::text AS name FROM pg_attribute
            JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p')
            WHERE attname IN ('patient_id', 'visit_id') AND relnamespace = 'public'::regnamespace
            """
        )
    }
    assert {"patient", "patient_picture", "patient_token", "patient_tag", "visit"} <= about_people
    granted = await privileges(owner, "officepro_system")

    # The ledger holds numbers, not people, and is only read.
    assert granted.get("disclosure", set()) <= {"SELECT"}
    assert about_people & granted.keys() <= {"disclosure"}


async def test_nor_does_it_see_the_answers_that_were_kept_for_repeats(
    demo_office: Office, database: Database, owner: asyncpg.Connection
) -> None:
    grace = {"FirstName": "Grace"}
    await demo_office.partner.post("/prospects", json=grace, headers={"Idempotency-Key": "one"})
    kept = "SELECT count(*) FROM idempotency WHERE practice_id = $1"

    assert await owner.fetchval(kept, demo_office.practice_id) == 1  # the control
    async with database.system() as db:
        assert await db.fetchval(kept, demo_office.practice_id) == 0
    async with database.system_transaction() as db:
        assert await db.execute("DELETE FROM idempotency WHERE practice_id <> 0") == "DELETE 0"


@pytest.mark.parametrize("role", ["officepro_app", "officepro_system"])
async def test_neither_role_can_do_more_than_work_with_rows(owner: asyncpg.Connection, role: str) -> None:
    for table, allowed in (await privileges(owner, role)).items():
        assert allowed <= {"SELECT", "INSERT", "UPDATE", "DELETE"}, table
    attributes = await owner.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = $1", role
    )
    assert attributes is not None
    assert not any(attributes.values())
    assert not await owner.fetchval("SELECT has_schema_privilege($1, 'public', 'CREATE')", role)
    assert await owner.fetchval("SELECT count(*) FROM pg_class WHERE relowner = $1::regrole", role) == 0


async def test_functions_that_run_as_the_owner_are_closed_to_the_public_and_name_their_schema(
    owner: asyncpg.Connection,
) -> None:
    functions = await owner.fetch(
        """
        SELECT proname AS name, proconfig AS settings, has_function_privilege('public', oid, 'EXECUTE') AS open
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
        """
    )
    assert {"add_partitions", "drop_partitions", "empty_default_partition"} <= {row["name"] for row in functions}
    for row in functions:
        assert not row["open"], row["name"]
        assert any(setting.startswith("search_path=") for setting in row["settings"] or ()), row["name"]


async def test_ids_come_from_sequences_and_no_table_has_identity_columns_or_triggers(owner: asyncpg.Connection) -> None:
    """Neither can be distributed; the triggers that there are come off before that, and nothing misses them."""
    assert await owner.fetch("SELECT attrelid::regclass FROM pg_attribute WHERE attidentity <> '' AND attnum > 0") == []
    triggers = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname NOT LIKE 'visit%elsewhere'"
    assert await owner.fetch(triggers) == []
    sequences = await owner.fetch(
        """
        SELECT relname, EXISTS (SELECT FROM pg_depend JOIN pg_attrdef ON classid = 'pg_attrdef'::regclass
                                AND objid = pg_attrdef.oid WHERE refobjid = pg_class.oid) AS is_default
        FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
        """
    )
    assert len(sequences) > 5
    assert [row["relname"] for row in sequences if not row["is_default"]] == []


async def test_every_view_asks_as_its_caller(owner: asyncpg.Connection) -> None:
    """A superuser's view would look over the wall."""
    views = await owner.fetch(
        "SELECT relname, reloptions FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace"
    )
    assert [row["relname"] for row in views if "security_invoker=true" not in (row["reloptions"] or ())] == []
