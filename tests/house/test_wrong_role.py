"""A login that could pass the wall between practices is refused at the start, with the way out."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from officepro.foundation import database as databases
from officepro.foundation.database import Database, DatabaseUnavailable, Mode, WrongRole
from officepro.foundation.embedded import EmbeddedServer
from tests.house.logins import login

EVERY_MODE = [Mode.SINGLE, Mode.POOLED]  # a distributed database differs in nothing that is looked at here


@pytest.fixture
async def plain(owner: asyncpg.Connection, database_name: str) -> AsyncIterator[str]:
    async with login(owner, database_name) as name:
        yield name


async def refusal(url: str, mode: Mode = Mode.SINGLE) -> str:
    with pytest.raises(WrongRole) as refused:
        await Database.connect(url, mode=mode)
    return str(refused.value)


@pytest.mark.parametrize("mode", EVERY_MODE)
async def test_a_plain_login_with_the_two_roles_comes_in(
    server: EmbeddedServer, database_name: str, plain: str, mode: Mode
) -> None:
    """The control: what is refused below is refused for its own reason."""
    database = await Database.connect(server.url(database_name, user=plain), mode=mode)
    try:
        assert await database.is_reachable()
    finally:
        await database.close()


@pytest.mark.parametrize("mode", EVERY_MODE)
async def test_a_superuser_does_not(server: EmbeddedServer, database_name: str, mode: Mode) -> None:
    assert "is a superuser" in await refusal(server.url(database_name), mode)


async def test_nor_who_has_bypassrls(server: EmbeddedServer, database_name: str, owner: asyncpg.Connection) -> None:
    async with login(owner, database_name, "BYPASSRLS") as name:
        assert "BYPASSRLS" in await refusal(server.url(database_name, user=name))


@pytest.mark.parametrize("attribute", ["BYPASSRLS", "SUPERUSER"])
async def test_nor_who_can_become_somebody_that_passes(
    server: EmbeddedServer, database_name: str, owner: asyncpg.Connection, plain: str, attribute: str
) -> None:
    stronger = f"{plain}_stronger"
    await owner.execute(f"CREATE ROLE {stronger} NOLOGIN {attribute}; GRANT {stronger} TO {plain}")
    try:
        assert "can become" in await refusal(server.url(database_name, user=plain))
    finally:
        await owner.execute(f"DROP ROLE {stronger}")


@pytest.mark.parametrize("table", ["visit", "log", "practice"])
async def test_nor_the_owner_of_even_one_table(
    server: EmbeddedServer, database_name: str, owner: asyncpg.Connection, plain: str, table: str
) -> None:
    before = await owner.fetchval("SELECT relowner::regrole::text FROM pg_class WHERE oid = $1::text::regclass", table)
    await owner.execute(f"GRANT CREATE ON SCHEMA public TO {plain}; ALTER TABLE {table} OWNER TO {plain}")
    try:
        assert "owns the tables" in await refusal(server.url(database_name, user=plain))
    finally:
        await owner.execute(f"ALTER TABLE {table} OWNER TO {before}")


async def test_nor_who_is_a_member_of_the_owner(
    server: EmbeddedServer, database_name: str, owner: asyncpg.Connection, plain: str
) -> None:
    schema_owner = f"{plain}_owner"
    before = await owner.fetchval("SELECT relowner::regrole::text FROM pg_class WHERE oid = 'visit'::regclass")
    await owner.execute(f"CREATE ROLE {schema_owner} NOLOGIN; GRANT {schema_owner} TO {plain}")
    await owner.execute(f"ALTER TABLE visit OWNER TO {schema_owner}")
    try:
        assert "owns the tables" in await refusal(server.url(database_name, user=plain))
    finally:
        await owner.execute(f"ALTER TABLE visit OWNER TO {before}; DROP ROLE {schema_owner}")


@pytest.mark.parametrize("mode", EVERY_MODE)
@pytest.mark.parametrize("role", ["officepro_app", "officepro_system"])
async def test_who_lacks_a_role_is_told_how_to_get_it(
    server: EmbeddedServer, database_name: str, owner: asyncpg.Connection, plain: str, role: str, mode: Mode
) -> None:
    await owner.execute(f"REVOKE {role} FROM {plain}")
    assert "GRANT officepro_app, officepro_system" in await refusal(server.url(database_name, user=plain), mode)


async def test_a_server_that_is_too_old_is_refused(
    server: EmbeddedServer, database_name: str, plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "OLDEST_SERVER_VERSION", 990000)
    assert "too old" in await refusal(server.url(database_name, user=plain))


async def test_a_database_that_is_not_there_is_unavailable(server: EmbeddedServer, plain: str) -> None:
    with pytest.raises(DatabaseUnavailable):
        await Database.connect(server.url("no_such_database", user=plain))


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable):
        await Database.connect("postgresql://officepro@127.0.0.1:1/officepro")
