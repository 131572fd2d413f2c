"""The database connection is lost while saving: the response to the caller, and how a retry resolves it."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from officepro.app import create_inner_app
from officepro.door import Door
from officepro.foundation import database as databases
from officepro.foundation import embedded
from officepro.foundation.database import Connection, Database, DatabaseUnavailable, OutcomeUnknown, Overloaded
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations.run import migrate
from officepro.settings import Settings
from tests.conftest import alive
from tests.foundation.lines import Cut, Line, line_to
from tests.world import House, Office, make_office

GRACE = {"FirstName": "Grace", "LastName": "Hopper"}
KEY = {"Idempotency-Key": "once"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="op", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
async def line(straight: Settings, folder: Path) -> AsyncIterator[tuple[Line, str]]:
    async with line_to(straight.database_url, folder / "line") as found:
        yield found


@pytest.fixture
async def office(line: tuple[Line, str], house: House, straight: Settings) -> AsyncIterator[Office]:
    """A practice of a service whose connection to the database can be cut."""
    app = create_inner_app(straight.but(database_url=line[1], database_pool_size="2"))
    async with alive(app), House.open(Door(app), house.owner, straight) as own_house:
        made = await make_office(own_house, "FarOffice", "America/New_York")
        pools = app.state.database.connections
        while any(opened != idle for opened, idle, _ in pools().values()):  # noqa: ASYNC110 -- no event says so
            await asyncio.sleep(0.01)  # the service is starting; the COMMIT to be cut must not be one of its start
        yield made


async def graces(office: Office) -> int:
    found: int = await office.house.owner.fetchval(
        "SELECT count(*) FROM patient WHERE practice_id = $1 AND first_name = 'Grace'", office.practice_id
    )
    return found


def is_told_as_unknown(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "outcome_unknown", "1")


async def test_a_commit_whose_answer_was_lost_is_unknown_and_the_repeat_finds_it(
    office: Office, line: tuple[Line, str]
) -> None:
    line[0].cut_once(Cut.ON_THE_WAY_BACK, b"COMMIT")
    lost = await office.partner.post("/prospects", json=GRACE, headers=KEY)
    again = await office.partner.post("/prospects", json=GRACE, headers=KEY)

    assert is_told_as_unknown(lost)
    assert "Idempotency-Key" in lost.json()["detail"]
    assert (again.status_code, again.headers.get("Idempotent-Replay")) == (201, "true")
    assert (await graces(office), line[0].cuts) == (1, 1)


async def test_a_commit_that_never_arrived_is_unknown_and_the_repeat_does_it(
    office: Office, line: tuple[Line, str]
) -> None:
    line[0].cut_once(Cut.ON_THE_WAY, b"COMMIT")
    lost = await office.partner.post("/prospects", json=GRACE, headers=KEY)
    again = await office.partner.post("/prospects", json=GRACE, headers=KEY)

    assert is_told_as_unknown(lost)
    assert (again.status_code, again.headers.get("Idempotent-Replay")) == (201, None)
    assert await graces(office) == 1


async def test_a_single_statement_whose_answer_was_lost_is_unknown(office: Office, line: tuple[Line, str]) -> None:
    await office.partner.post("/prospects", json={"FirstName": "Ada"})  # prepares the statement
    line[0].cut_once(Cut.ON_THE_WAY_BACK, b"Grace")

    assert is_told_as_unknown(await office.partner.post("/prospects", json=GRACE))
    assert await graces(office) == 1


async def test_a_line_that_broke_before_the_commit_leaves_nothing(office: Office, line: tuple[Line, str]) -> None:
    await office.partner.post("/prospects", json={"FirstName": "Ada"}, headers={"Idempotency-Key": "other"})
    line[0].cut_once(Cut.ON_THE_WAY_BACK, b"Grace")
    lost = await office.partner.post("/prospects", json=GRACE, headers=KEY)

    assert (lost.status_code, lost.json()["code"]) == (503, "database_unavailable")
    assert await graces(office) == 0
    assert (await office.partner.post("/prospects", json=GRACE, headers=KEY)).status_code == 201


async def test_a_read_whose_answer_was_lost_changed_nothing(office: Office, line: tuple[Line, str]) -> None:
    await office.partner.get("/tags")
    line[0].cut_once(Cut.ON_THE_WAY_BACK, b"B")
    assert (await office.partner.get("/tags")).json()["code"] == "database_unavailable"
    assert (await office.partner.get("/tags")).status_code == 200


async def test_behind_a_pooler_a_read_has_a_commit_and_leaves_nobody_wondering(
    line: tuple[Line, str], house: House, straight: Settings
) -> None:
    app = create_inner_app(straight.but(database_url=line[1], database_pool_size="2", database_mode="pooled"))
    async with alive(app), House.open(Door(app), house.owner, straight) as own_house:
        office = await make_office(own_house, "FarOffice", "America/New_York")
        read = await office.partner.get("/tags")
        for _ in range(50):
            line[0].cut_once(Cut.ON_THE_WAY_BACK, b"COMMIT")
            read = await office.partner.get("/tags")
            if read.status_code != 200:  # otherwise it was the COMMIT of the request log
                break
        line[0].cut_once(Cut.ON_THE_WAY_BACK, b"timeout = 0; COMMIT")
        written = await office.partner.post("/prospects", json=GRACE)

    assert (read.status_code, read.json()["code"]) == (503, "database_unavailable")
    assert is_told_as_unknown(written)


async def test_a_machine_that_has_gone_silent_keeps_nobody_from_the_next(straight: Settings, folder: Path) -> None:
    async with line_to(straight.database_url, folder / "one") as (one, url):
        one.is_silent = True
        true = str(straight.database_url).split("host=")[1].split("&")[0]
        both = url.replace(str(folder / "one"), f"{folder / 'one'},{true}")
        database = await Database.connect(both, pool_size=2)
        try:
            async with asyncio.timeout(1), database.system() as db:
                assert await db.fetchval("SELECT 1") == 1
        finally:
            await database.close()


async def test_a_server_that_falls_silent_is_waited_for_no_longer_than_the_limit(
    line: tuple[Line, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "COMMAND_TIMEOUT_SECONDS", 3.0)
    database = await Database.connect(line[1])
    try:
        for begun in (database.system_transaction, database.system):
            async with begun() as db:
                await db.fetchval("SELECT 1")
        line[0].is_silent = True
        for begun in (database.system_transaction, database.system):
            started = time.monotonic()
            with pytest.raises(Overloaded):
                async with begun() as db:
                    await db.fetchval("SELECT 1")
            assert time.monotonic() - started < 3 + databases.CLOSE_TIMEOUT_SECONDS + 3  # not three times the limit
    finally:
        line[0].is_silent = False
        await database.close()


async def test_a_primary_no_more_is_left_with_all_that_leads_there(straight: Settings) -> None:
    database = await Database.connect(straight.database_url, pool_size=2)
    try:
        async with database.practice(1) as one, database.practice(2) as two:
            demoted = {await demote(one), await demote(two)}
        with pytest.raises(DatabaseUnavailable):
            async with database.practice(1, is_writing=True) as db:
                await db.execute("UPDATE log_head SET last = last")
        for practice_id in (1, 2):
            async with database.practice(practice_id, is_writing=True) as db:
                assert db.get_server_pid() not in demoted
                await db.execute("UPDATE log_head SET last = last WHERE false")
    finally:
        await database.close()


async def demote(db: Connection) -> int:
    """Make the server read-only, like a standby."""
    await db.execute("SET default_transaction_read_only = on")
    return int(db.get_server_pid())


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A primary that requires its standby's acknowledgement, and has no standby."""
    server = embedded.start(tmp_path / "lonely")
    try:
        server.create_database("officepro")
        migrate(server.url("officepro"), "officepro")
        yield server
    finally:
        server.stop()


async def test_what_no_standby_has_is_unknown(lonely: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "COMMAND_TIMEOUT_SECONDS", 2.0)
    monkeypatch.setattr(databases, "STATEMENT_TIMEOUT_SECONDS", 1)
    owner = await asyncpg.connect(lonely.url("officepro"))
    database = await Database.connect(lonely.url("officepro", user="officepro"))
    try:
        practice_id = await owner.fetchval(
            "INSERT INTO practice (practicepass, name, time_zone) VALUES ('far', 'far', 'UTC') RETURNING practice_id"
        )
        await await_standby(owner, "nobody")
        insert = "INSERT INTO log_head (practice_id, last) SELECT practice_id, 7 FROM practice"
        count = "SELECT count(*) FROM log_head"

        with pytest.raises(OutcomeUnknown):
            async with database.system_transaction() as db:
                await db.execute(insert)
        assert await owner.fetchval(count) == 0, "nobody sees what may yet be lost"

        await await_standby(owner, "")  # the standby is available again
        async with asyncio.timeout(10):
            while not await owner.fetchval(count):  # noqa: ASYNC110 -- another backend's doing
                await asyncio.sleep(0.05)

        await await_standby(owner, "nobody")
        with pytest.raises(OutcomeUnknown):
            async with database.practice(practice_id, is_writing=True) as db:
                await db.execute("UPDATE log_head SET last = 8")
    finally:
        await await_standby(owner, "")
        await owner.close()
        await database.close()


async def await_standby(owner: asyncpg.Connection, names: str) -> None:
    """Wait until commits wait (or no longer do). The checkpointer tells all backends, with a delay."""
    await owner.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    await owner.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(10):
        while await waits_for_a_standby(owner) != bool(names):  # noqa: ASYNC110 -- another process's doing
            await asyncio.sleep(0.02)


async def waits_for_a_standby(owner: asyncpg.Connection) -> bool:
    """Return whether a commit had to be cancelled, by the server's own warning."""
    warnings: list[str] = []

    def note(_: object, message: asyncpg.PostgresLogMessage) -> None:
        warnings.append(message.message)

    owner.add_log_listener(note)
    try:
        with contextlib.suppress(TimeoutError):
            await owner.execute("SELECT pg_logical_emit_message(true, 'probe', '')", timeout=0.2)
        await owner.execute("SELECT 1")  # reads the server's remaining messages
    finally:
        owner.remove_log_listener(note)
    return any("canceling wait for synchronous replication" in warning for warning in warnings)
