"""What answers at the database's address must suit the mode; otherwise the start is refused, with the way out."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from officepro.foundation import embedded
from officepro.foundation.database import Database, Mode, WrongServer
from officepro.foundation.distribution import UNFINISHED
from officepro.foundation.embedded import EmbeddedServer
from tests.citus import looking_distributed, stand_in
from tests.cli.command import officepro_with
from tests.pooler import Pooler, start
from tests.world import House

# What an operator adds when PgBouncer refuses a connection for what it asks to be set to.
IGNORING = (
    "ignore_startup_parameters = "
    "statement_timeout,lock_timeout,idle_in_transaction_session_timeout,jit,role,extra_float_digits,search_path"
)


async def refusal(url: str, mode: Mode = Mode.SINGLE) -> str:
    with pytest.raises(WrongServer) as refused:
        await Database.connect(url, mode=mode)
    return str(refused.value)


@pytest.fixture
def poolers(server: EmbeddedServer) -> Iterator[Callable[..., Pooler]]:
    started = []

    def begin(further: str = "", pool_mode: str = "transaction") -> Pooler:
        started.append(start(server, pool_mode=pool_mode, further=further))
        return started[-1]

    yield begin
    for pooler in started:
        pooler.stop()


@pytest.mark.parametrize("further", ["", IGNORING, f"{IGNORING}\nserver_round_robin = 1"])
async def test_a_pooler_of_transactions_is_refused_where_sessions_are_counted_on(
    poolers: Callable[..., Pooler], database_name: str, further: str
) -> None:
    pooler = poolers(further)
    assert "OFFICEPRO_DATABASE_MODE=pooled" in await refusal(pooler.url(database_name))

    connected = await Database.connect(pooler.url(database_name), mode=Mode.POOLED)  # the way out
    await connected.close()


async def test_it_is_seen_too_while_others_are_at_work_through_it(
    poolers: Callable[..., Pooler], database_name: str
) -> None:
    url = poolers(IGNORING).url(database_name)

    async def work() -> None:
        busy = await asyncpg.connect(url, statement_cache_size=0)
        try:
            while True:
                await busy.execute("SELECT pg_sleep(0.002)")
        finally:
            busy.terminate()

    others = [asyncio.create_task(work()) for _ in range(6)]
    try:
        for _ in range(5):
            assert "OFFICEPRO_DATABASE_MODE=pooled" in await refusal(url)
    finally:
        for other in others:
            other.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*others)


@pytest.mark.parametrize("further", ["", IGNORING])
async def test_a_pooler_of_sessions_that_passes_nothing_on_is_refused(
    poolers: Callable[..., Pooler], database_name: str, further: str
) -> None:
    pooler = poolers(further, pool_mode="session")
    assert "does not forward" in await refusal(pooler.url(database_name))


async def test_the_server_itself_is_never_taken_for_a_pooler(server: EmbeddedServer, database_name: str) -> None:
    for _ in range(5):
        connected = await Database.connect(server.url(database_name, "officepro"))
        await connected.close()


async def test_the_commands_say_it_in_one_line(
    poolers: Callable[..., Pooler], database_name: str, house: House, tmp_path: Path
) -> None:
    environment = {
        **house.settings.given,
        "OFFICEPRO_DATABASE_URL": poolers(IGNORING).url(database_name),
        "OFFICEPRO_DATABASE_MODE": "single",
        "OFFICEPRO_DATA_DIR": str(tmp_path),
        "OFFICEPRO_PORT": "0",
    }
    told = await asyncio.wait_for(officepro_with(environment, "practice", "list"), 60)
    assert told.exit_code == 1
    assert told.err.startswith("officepro: OFFICEPRO_DATABASE_URL names a transaction pooler")
    assert told.err.count("\n") == 1
    for service in ("serve", "worker"):
        told = await asyncio.wait_for(officepro_with(environment, service), 60)
        assert told.exit_code == 1
        refusal = next(line for line in map(json.loads, told.err.splitlines()) if line["level"] == "error")
        assert refusal["reason"].startswith("OFFICEPRO_DATABASE_URL names a transaction pooler")


@pytest.fixture
def standby(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of its own that follows another, and so takes no writes."""
    server = embedded.start(tmp_path)
    server.stop()
    (server.directory / "standby.signal").touch()
    server = embedded.start(tmp_path)
    yield server
    server.stop()


@pytest.mark.parametrize("mode", [Mode.SINGLE, Mode.POOLED])
async def test_a_standby_is_refused(standby: EmbeddedServer, mode: Mode) -> None:
    told = await refusal(standby.url("postgres"), mode)
    assert "standby" in told
    assert "target_session_attrs" in told


@pytest.fixture
async def distributed(owner: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    async with looking_distributed(owner):
        yield owner


async def test_a_distributed_database_wants_its_mode(
    distributed: asyncpg.Connection, server: EmbeddedServer, database_name: str
) -> None:
    url = server.url(database_name, "officepro")
    for mode in (Mode.SINGLE, Mode.POOLED):
        assert "OFFICEPRO_DATABASE_MODE=distributed" in await refusal(url, mode)

    connected = await Database.connect(url, mode=Mode.DISTRIBUTED)
    await connected.close()


@pytest.mark.parametrize("table", ["visit", "practice"])
async def test_a_table_that_was_not_distributed_is_named(
    distributed: asyncpg.Connection, server: EmbeddedServer, database_name: str, table: str
) -> None:
    await distributed.execute("DELETE FROM pg_dist_partition WHERE logicalrel = $1::text::regclass", table)

    told = await refusal(server.url(database_name, "officepro"), Mode.DISTRIBUTED)

    assert f": {table}. Run officepro distribute" in told


@pytest.mark.parametrize("mode", list(Mode))
async def test_half_of_a_distribution_is_refused_in_every_mode(
    owner: asyncpg.Connection, server: EmbeddedServer, database_name: str, mode: Mode
) -> None:
    await owner.execute(f"CREATE TABLE {UNFINISHED} (name text)")
    try:
        assert "is not finished" in await refusal(server.url(database_name, "officepro"), mode)
    finally:
        await owner.execute(f"DROP TABLE {UNFINISHED}")


async def test_what_is_no_distributed_database_is_told_so(
    owner: asyncpg.Connection, server: EmbeddedServer, database_name: str
) -> None:
    url = server.url(database_name, "officepro")
    assert "this database is not" in await refusal(url, Mode.DISTRIBUTED)
    async with stand_in(owner):
        assert "this database is not" in await refusal(url, Mode.DISTRIBUTED)
