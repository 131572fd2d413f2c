"""What the request log and the ledger hold, once what waits has been written."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from litestar import Litestar

from officepro.activity import queries
from officepro.foundation.database import Database
from tests.world import Office

Written = Callable[[], Awaitable[None]]


@pytest.fixture
def written(inner_app: Litestar, database: Database) -> Written:
    """Awaited, everything called so far stands in the request log."""

    async def write() -> None:
        await inner_app.state.account.recorder.flush(database)

    return write


async def sum_up(database: Database, owner: asyncpg.Connection) -> None:
    """Afterwards the figures know of everything written: the application sums as well, and may have some under way."""
    async with asyncio.timeout(5):
        while await owner.fetchval("SELECT EXISTS (SELECT FROM request_log_unsummed)"):
            async with database.system() as db:
                await queries.sum_up(db)


async def calls_of(owner: asyncpg.Connection, office: Office) -> list[dict[str, Any]]:
    rows = await owner.fetch(
        "SELECT * FROM request_log WHERE practice_id = $1 ORDER BY request_log_id", office.practice_id
    )
    return [dict(row) for row in rows]


async def ledger_of(owner: asyncpg.Connection, office: Office) -> list[dict[str, Any]]:
    rows = await owner.fetch("SELECT * FROM disclosure WHERE practice_id = $1 ORDER BY number", office.practice_id)
    return [dict(row) for row in rows]
