"""No event is lost with slow writers and rollbacks; the control does lose events. (PROOF.md)"""

import asyncio
import random

import asyncpg
import pytest

from officepro.foundation.embedded import EmbeddedServer
from officepro.webhooks.dispatcher import Dispatcher
from tests.webhooks.acts import sign_up
from tests.webhooks.receivers import Receiver
from tests.world import Office

WRITERS = 6
EVENTS_EACH = 8
LONGEST_PAUSE_SECONDS = 0.25
ROLLED_BACK = 0.1


async def write(url: str, statement: str, practice_id: int, seed: int) -> int:
    """Run transactions that stay open for a while, and return the number of commits."""
    dice = random.Random(seed)
    connection = await asyncpg.connect(url)
    committed = 0
    try:
        for _ in range(EVENTS_EACH):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("SELECT 1")
            await connection.execute(statement, practice_id)
            await asyncio.sleep(dice.random() ** 4 * LONGEST_PAUSE_SECONDS)
            if dice.random() < ROLLED_BACK:
                await transaction.rollback()
            else:
                await transaction.commit()
                committed += 1
    finally:
        await connection.close()
    return committed


@pytest.fixture
def url(server: EmbeddedServer, database_name: str) -> str:
    """The owner's database URL."""
    return server.url(database_name)


async def test_slow_writers_and_rollbacks_lose_nothing(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, url: str
) -> None:
    await sign_up(demo_office, receiver)
    appending = "SELECT append_to_log($1, 'Claims', 'claim.paid', 7, '{}')"
    writing = asyncio.gather(*(write(url, appending, demo_office.practice_id, seed) for seed in range(WRITERS)))
    while not writing.done():
        await worker.round()
        await asyncio.sleep(0.002)
    committed = sum(writing.result())
    await worker.settle()

    assert receiver.log_ids == list(range(1, committed + 1))


async def test_control_a_sequence_and_a_cursor_lose_events(demo_office: Office, url: str) -> None:
    """A log without its counter: numbers are assigned early, and transactions commit in another order."""
    owner = demo_office.house.owner
    await owner.execute("CREATE TABLE plain_log (log_id bigserial PRIMARY KEY, practice_id bigint)")
    try:
        appending = "INSERT INTO plain_log (practice_id) VALUES ($1)"
        writing = asyncio.gather(*(write(url, appending, demo_office.practice_id, seed) for seed in range(WRITERS)))
        cursor, seen = 0, 0
        while True:
            is_over = writing.done()
            rows = await owner.fetch("SELECT log_id FROM plain_log WHERE log_id > $1 ORDER BY log_id", cursor)
            if rows:
                cursor, seen = rows[-1]["log_id"], seen + len(rows)
            if is_over:
                break
            await asyncio.sleep(0.002)
        committed = sum(writing.result())
    finally:
        await owner.execute("DROP TABLE plain_log")

    assert seen < committed
