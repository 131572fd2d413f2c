"""The daily figures are summed apart from the rows they are about: each row once, whoever sums, and whenever."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from officepro.activity import queries
from officepro.activity.recorder import Call, Recorder
from officepro.foundation.clock import now
from officepro.foundation.database import Database, DatabaseUnavailable
from tests.world import Office

FIGURES = """
    SELECT day, method, endpoint, calls::bigint, caller_errors::bigint, own_errors::bigint, duration_microseconds
    FROM request_day WHERE practice_id = $1 ORDER BY 1, 2, 3
"""
ROWS = """
    SELECT (happened_at AT TIME ZONE 'UTC')::date, method, endpoint, count(*),
           count(*) FILTER (WHERE status BETWEEN 400 AND 499), count(*) FILTER (WHERE status >= 500),
           sum(duration_microseconds)
    FROM request_log WHERE practice_id = $1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
UNSUMMED = """
    SELECT count(*) FROM request_log_unsummed u WHERE EXISTS (
        SELECT FROM request_log l WHERE l.practice_id = $1 AND l.request_log_id = ANY (u.request_log_ids))
"""
DURATIONS = "SELECT sum(calls) FROM request_day_duration WHERE practice_id = $1"


def _calls(office: Office, number: int) -> list[Call]:
    whose = (1, 2, office.practice_id)
    return [
        Call(now() - timedelta(days=one % 3), "GET", f"/v1/{one % 4}", 200 + 100 * (one % 4), one, *whose, "::1", "one")
        for one in range(number)
    ]


async def _write(database: Database, calls: list[Call]) -> None:
    async with database.system() as db:
        await queries.write(db, calls)


async def _sum_up(database: Database) -> None:
    async with database.system() as db:
        await queries.sum_up(db)


async def _all_are_summed(owner: asyncpg.Connection, office: Office) -> None:
    """The application sums as well, and may have ours under way."""
    async with asyncio.timeout(5):
        while await owner.fetchval(UNSUMMED, office.practice_id):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_many_write_and_many_sum_at_once(
    demo_office: Office, database: Database, owner: asyncpg.Connection
) -> None:
    calls = _calls(demo_office, 600)
    pieces = [calls[begin : begin + 15] for begin in range(0, 600, 15)]
    await asyncio.gather(*(work for piece in pieces for work in (_write(database, piece), _sum_up(database))))
    await _sum_up(database)

    await _all_are_summed(owner, demo_office)
    figures = [tuple(row) for row in await owner.fetch(FIGURES, demo_office.practice_id)]
    assert figures == [tuple(row) for row in await owner.fetch(ROWS, demo_office.practice_id)]
    assert len(figures) == 12
    assert await owner.fetchval(DURATIONS, demo_office.practice_id) == 600


async def test_more_pieces_than_are_summed_at_once(
    demo_office: Office, database: Database, owner: asyncpg.Connection
) -> None:
    for call in _calls(demo_office, 450):
        await _write(database, [call])
    await _sum_up(database)

    await _all_are_summed(owner, demo_office)
    assert await owner.fetchval(DURATIONS, demo_office.practice_id) == 450


async def test_what_was_written_by_a_worker_that_was_killed_is_summed_by_the_next(
    demo_office: Office, database: Database, owner: asyncpg.Connection
) -> None:
    await _write(database, _calls(demo_office, 20))

    await Recorder().flush(database)
    await Recorder().flush(database)

    await _all_are_summed(owner, demo_office)
    assert await owner.fetchval(DURATIONS, demo_office.practice_id) == 20


async def test_sums_that_could_not_be_made_are_made_later(
    demo_office: Office, database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise DatabaseUnavailable

    own = Recorder()
    for call in _calls(demo_office, 5):
        own._waiting.append(call)
    with monkeypatch.context() as patch:
        patch.setattr(queries, "sum_up", away)
        await own.flush(database)
        assert own.waiting == 0
        assert await owner.fetchval(UNSUMMED, demo_office.practice_id) == 1
        assert await owner.fetchval(DURATIONS, demo_office.practice_id) is None
    await own.flush(database)

    await _all_are_summed(owner, demo_office)
    assert await owner.fetchval(DURATIONS, demo_office.practice_id) == 5
