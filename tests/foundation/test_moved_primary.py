"""The primary freezes under load and a standby is promoted: no request keeps waiting for the former primary."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from officepro.foundation import database as databases
from officepro.foundation import embedded
from officepro.foundation.database import Database, DatabaseUnavailable, OutcomeUnknown
from officepro.foundation.embedded import EmbeddedServer
from officepro.foundation.errors import OfficeProError

ROLES = """
CREATE ROLE officepro_app; CREATE ROLE officepro_system; CREATE ROLE officepro LOGIN NOINHERIT;
GRANT officepro_app, officepro_system TO officepro; CREATE TABLE note (text text); GRANT INSERT ON note TO officepro_app
"""
LONGEST_SECONDS = 5.0  # after the promotion; a statement's own limit is 20


@dataclass
class Pair:
    """A primary and its copy, which is a standby by name only."""

    primary: EmbeddedServer
    standby: EmbeddedServer

    @property
    def url(self) -> str:
        first, second = self.primary, self.standby
        hosts = f"{first.socket_directory},{second.socket_directory}"
        return first.url("postgres", "officepro").replace(str(first.socket_directory), hosts)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the primary."""
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.readlink(each / "cwd") == str(self.primary.directory):
                    os.kill(int(each.name), number)

    async def promote(self) -> None:
        owner = await asyncpg.connect(self.standby.url("postgres"))
        assert await owner.fetchval("SELECT pg_promote()")
        await owner.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    primary = embedded.start(tmp_path / "one")
    asyncio.run(prepared(primary))
    primary.stop()
    subprocess.run(["/bin/cp", "-a", tmp_path / "one", tmp_path / "two"], check=True)
    (tmp_path / "two" / "postgres" / "standby.signal").touch()
    made = Pair(embedded.start(tmp_path / "one"), embedded.start(tmp_path / "two"))
    yield made
    made.signal(signal.SIGCONT)
    made.primary.stop()
    made.standby.stop()


async def prepared(server: EmbeddedServer) -> None:
    owner = await asyncpg.connect(server.url("postgres"))
    await owner.execute(ROLES)
    await owner.close()


@pytest.fixture
async def own(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(databases, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(databases, "LOOK_SECONDS", 0.3)
    database = await Database.connect(pair.url, pool_size=5)
    yield database
    await database.close()


async def read(database: Database) -> None:
    async with database.practice(1) as db:
        await db.fetchval("SELECT 1")


async def read_unbound(database: Database) -> None:
    async with database.unbound() as db:
        await db.fetchval("SELECT 1")


async def read_all(database: Database) -> None:
    async with database.system() as db:
        await db.fetchval("SELECT 1")


async def save(database: Database, goes_on: asyncio.Event) -> None:
    async with database.practice_transaction(1) as db:
        await db.execute("INSERT INTO note VALUES ('a')")
        await goes_on.wait()


async def failure_of(work: Coroutine[None, None, None]) -> tuple[type[OfficeProError], float]:
    """Return the failure, and when it occurred."""
    try:
        await work
    except OfficeProError as failure:
        return type(failure), time.monotonic()
    pytest.fail("a frozen server has answered")


async def test_whoever_waits_for_it_is_told_as_soon_as_another_has_taken_over(pair: Pair, own: Database) -> None:
    is_frozen = asyncio.Event()
    saving = asyncio.create_task(failure_of(save(own, is_frozen)))
    await asyncio.gather(read(own), read_unbound(own), read_all(own))
    pair.signal(signal.SIGSTOP)
    is_frozen.set()
    reading = [asyncio.create_task(failure_of(work(own))) for work in (read, read_unbound, read_all)]
    await asyncio.sleep(1.5)
    assert not any(one.done() for one in (saving, *reading))  # as long as the primary may recover

    promoted = time.monotonic()
    await pair.promote()
    failures = await asyncio.gather(saving, *reading)

    assert [kind for kind, _ in failures] == [OutcomeUnknown] + 3 * [DatabaseUnavailable]
    assert max(at for _, at in failures) - promoted < LONGEST_SECONDS
    await asyncio.gather(read(own), read_unbound(own), read_all(own))


async def test_who_was_the_primary_and_goes_on_is_not_believed(pair: Pair, own: Database) -> None:
    pair.signal(signal.SIGSTOP)
    await pair.promote()
    await read(own)
    pair.signal(signal.SIGCONT)
    pair.standby.stop()

    with pytest.raises(DatabaseUnavailable):
        await read(own)
    with pytest.raises(DatabaseUnavailable):
        await read_all(own)
