"""What the request log and the ledger hold, once what waits has been written."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from litestar import Litestar

from officepro.foundation.database import Database
from tests.world import Office

Written = Callable[[], Awaitable[None]]


@pytest.fixture
def written(inner_app: Litestar, database: Database) -> Written:
    """Awaited, everything called so far stands in the request log."""

    async def write() -> None:
        await inner_app.state.account.recorder.flush(database)

    return write


async def calls_of(owner: asyncpg.Connection, office: Office) -> list[dict[str, Any]]:
    rows = await owner.fetch(
        "SELECT * FROM request_log WHERE practice_id = $1 ORDER BY request_log_id", office.practice_id
    )
    return [dict(row) for row in rows]


async def ledger_of(owner: asyncpg.Connection, office: Office) -> list[dict[str, Any]]:
    rows = await owner.fetch("SELECT * FROM disclosure WHERE practice_id = $1 ORDER BY number", office.practice_id)
    return [dict(row) for row in rows]
