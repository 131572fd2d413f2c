"""Migrations: safe to run twice and by two at once, nothing half done, and nothing done to what is not understood."""

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from alembic.config import Config

from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations import known, run
from officepro.migrations.run import MigrationRefused, migrate
from tests.pooler import start

REVISIONS = Path(run.__file__).parent


@pytest.fixture
def empty(server: EmbeddedServer, database_name: str) -> Iterator[str]:
    """The address of a database with nothing in it."""
    name = f"{database_name}_to_migrate"
    server.create_database(name)
    yield server.url(name)
    asyncio.run(_asked(server.url("postgres"), f"DROP DATABASE {name} WITH (FORCE)"))


async def _asked(url: str, query: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def asked(url: str, query: str) -> list[Any]:
    return asyncio.run(_asked(url, query))


def schema(url: str) -> list[Any]:
    """Everything that there is: tables with their columns, constraints, indexes, policies, functions, grants."""
    return asked(
        url,
        """
        SELECT 'column', table_name::text, column_name::text, data_type::text, coalesce(column_default, '')
          FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), ''
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'index', tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'policy', tablename, policyname, coalesce(qual, ''), roles::text FROM pg_policies
        UNION ALL SELECT 'function', proname, prosrc, proacl::text, '' FROM pg_proc
          WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid
                                                                      AND deptype = 'e')
        UNION ALL SELECT 'grant', relname, coalesce(relacl::text, ''), '', '' FROM pg_class
          WHERE relnamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3, 4, 5
        """,
    )


def test_a_second_run_changes_nothing(empty: str) -> None:
    assert migrate(empty) == run.revisions()[0]
    once = schema(empty)
    assert len(once) > 300

    assert migrate(empty) == run.revisions()[0]
    assert schema(empty) == once


def test_two_at_once_do_it_once(empty: str) -> None:
    results: list[str | BaseException] = []

    def run_it() -> None:
        try:
            results.append(migrate(empty))
        except BaseException as error:  # told to the test's own thread
            results.append(error)

    threads = [threading.Thread(target=run_it) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [run.revisions()[0]] * 3
    assert asked(empty, "SELECT version_num FROM alembic_version") == [(run.revisions()[0],)]


def test_a_revision_of_a_newer_version_is_left_alone(empty: str) -> None:
    migrate(empty)
    asked(empty, "UPDATE alembic_version SET version_num = '9999'")
    before = schema(empty)

    assert migrate(empty) == "9999"
    assert schema(empty) == before
    assert asked(empty, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_revision_of_another_program_is_refused(empty: str) -> None:
    migrate(empty)
    asked(empty, "UPDATE alembic_version SET version_num = 'ab12cd'")

    with pytest.raises(MigrationRefused, match=r"ab12cd.*not a revision of officepro.*Nothing was changed"):
        migrate(empty)
    assert asked(empty, "SELECT version_num FROM alembic_version") == [("ab12cd",)]


def test_a_server_that_is_too_old_is_left_alone(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "OLDEST_SERVER_VERSION", 990000)

    with pytest.raises(MigrationRefused, match="too old: officepro needs PostgreSQL 16"):
        migrate(empty)
    assert asked(empty, "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


HALF_DONE = '''
"""Half of it works."""
from alembic import op
revision, down_revision = "9998", "{newest}"

def upgrade():
    op.execute("CREATE TABLE half_done (number bigint); INSERT INTO half_done VALUES (1)")
    op.execute("ALTER TABLE tag ADD COLUMN colour text")
    op.execute("ALTER TABLE no_such_table ADD COLUMN colour text")
'''


def with_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """The revisions there are, and one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(REVISIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / name).write_text(text)

    def configuration() -> Config:
        found = Config()
        found.set_main_option("script_location", str(folder))
        found.set_main_option("path_separator", "os")
        return found

    monkeypatch.setattr(run, "_configuration", configuration)


@pytest.fixture
def with_a_broken_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails in its middle."""
    with_revision(tmp_path, monkeypatch, "9998_half_done.py", HALF_DONE.format(newest=run.revisions()[0]))


def test_a_revision_that_fails_is_undone_whole(
    empty: str, with_a_broken_revision: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MigrationRefused, match=r"rolled back: .*no_such_table") as refused:
        migrate(empty)
    assert "\n" not in str(refused.value)

    # All revisions before it stand, of itself there is nothing.
    assert asked(empty, "SELECT to_regclass('half_done')::text, to_regclass('tag')::text") == [(None, "tag")]
    assert asked(empty, "SELECT 1 FROM pg_attribute WHERE attrelid = 'tag'::regclass AND attname = 'colour'") == []
    half = schema(empty)
    monkeypatch.undo()
    assert migrate(empty) == run.revisions()[0]
    assert schema(empty) == half


def test_a_table_in_use_makes_it_give_up_unharmed(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOCK_TIMEOUT_SECONDS", 1)
    migrate(empty)
    before = schema(empty)

    async def migrate_while_in_use() -> None:
        connection = await asyncpg.connect(empty)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE alembic_version")
                await asyncio.to_thread(migrate, empty)
        finally:
            await connection.close()

    with pytest.raises(MigrationRefused):
        asyncio.run(migrate_while_in_use())
    assert schema(empty) == before


def test_the_login_is_made_once_and_given_the_two_roles(empty: str, database_name: str) -> None:
    login = f"test_migrated_{database_name}"
    try:
        for _ in range(2):
            migrate(empty, login)
        assert asked(
            empty,
            f"""
            SELECT rolsuper, rolbypassrls, rolinherit, rolcreaterole, rolcanlogin,
                   pg_has_role('{login}', 'officepro_app', 'SET'), pg_has_role('{login}', 'officepro_system', 'SET')
            FROM pg_roles WHERE rolname = '{login}'
            """,
        ) == [(False, False, False, False, True, True, True)]
    finally:
        asked(empty, f"DROP ROLE IF EXISTS {login}")


def test_a_pooler_is_refused(empty: str, server: EmbeddedServer) -> None:
    through = start(server, ("postgres",))
    try:
        with pytest.raises(MigrationRefused, match="points to a pooler"):
            migrate(through.url(urlsplit(empty).path[1:], "postgres"))
    finally:
        through.stop()
    assert asked(empty, "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_a_database_that_does_not_answer_is_one_clear_line() -> None:
    with pytest.raises(MigrationRefused, match=r"127.0.0.1:1 .nothing. cannot be used: .*refused") as refused:
        migrate("postgresql://nobody@127.0.0.1:1/nothing")
    assert "\n" not in str(refused.value)


def test_the_revisions_are_one_line_without_branches() -> None:
    files = sorted(path.name for path in (REVISIONS / "versions").glob("[0-9]*.py"))
    assert [name[:4] for name in files] == [f"{number:04}" for number in range(1, len(files) + 1)]
    assert files[-1].startswith(run.revisions()[0])


def test_whoever_only_asks_knows_the_same_revisions() -> None:
    assert known.revisions() == run.revisions()


def test_the_api_goes_without_what_runs_migrations() -> None:
    heavy = {"alembic", "sqlalchemy", "psycopg"}
    asked = f"import sys, officepro.app, officepro.cli.serve; print({heavy} & {{*sys.modules}} or 'none of them')"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True).stdout == b"none of them\n"
