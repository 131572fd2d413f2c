"""API workers are killed and PostgreSQL crashes under a load of bookings, most of them group-committed. (PROOF.md;
docs/decisions/0012)

In all cases no acknowledged booking is lost, no time is booked twice, and a booking is stored with its history, event
and disclosure, or not at all.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from officepro.foundation.database import Database
from tests.chaos.booked import Found, found
from tests.chaos.bookers import Bookers
from tests.chaos.drill import KILL_EVERY_SECONDS, Drill, drill, standing
from tests.chaos.instances import Instance

PRACTICES = 6  # with bookings in the same batch
BOOKERS = 32
KEYLESS = 0.8  # fraction; the others have an Idempotency-Key and their own transaction
ROUNDS = 4

A_VISIT = "(practice_id, visit_id) = (SELECT practice_id, max(visit_id) FROM visit GROUP BY 1 ORDER BY 1 LIMIT 1)"
PLANTED = {
    "lost": f"DELETE FROM visit WHERE {A_VISIT}",
    "doubled": f"""
        UPDATE visit SET complaint = (SELECT complaint FROM visit first WHERE first.practice_id = visit.practice_id
                                      ORDER BY visit_id LIMIT 1)
        WHERE {A_VISIT}
        """,
    "doubles": f"""
        ALTER TABLE visit DROP CONSTRAINT visit_provider_free, DROP CONSTRAINT visit_room_free;
        INSERT INTO visit SELECT (json_populate_record(visit, json_build_object('visit_id', 0))).* FROM visit
        WHERE {A_VISIT}
        """,
    "halves": f"DELETE FROM visit_history WHERE {A_VISIT}",
    "undisclosed": f"DELETE FROM disclosure WHERE address = (SELECT complaint FROM visit WHERE {A_VISIT})",
    "gaps": "DELETE FROM log WHERE log_id = 2",
}


@asynccontextmanager
async def booking(server: Drill, folder: Path) -> AsyncIterator[tuple[Instance, Bookers]]:
    """Run clients that book. On exit every client waits for the outcome of its booking."""
    async with standing(server, folder, PRACTICES) as (instance, offices, tokens), asyncio.timeout(500):
        bookers = Bookers(offices, tokens, [f"http://127.0.0.1:{instance.port}"], keyless=KEYLESS)
        bookers.until = time.monotonic() + 3600
        load = asyncio.create_task(bookers.book_on(BOOKERS))
        try:
            await bookers.booked_again(time.monotonic())
            yield instance, bookers
        finally:
            bookers.until = time.monotonic()
            await load


async def hit(bookers: Bookers, strike: Callable[[], Awaitable[None]]) -> float:
    """Inject a fault and return the seconds until a booking requested after it succeeds."""
    since = time.monotonic()
    await strike()
    await bookers.booked_again(time.monotonic())
    return bookers.outage(since)


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_durable", [True, False], ids=["as it is", "the control: commits that are not waited for"])
async def test_bookings_outlive_killed_workers_and_crashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], is_durable: bool
) -> None:
    with drill(tmp_path / "drill") as server:
        if not is_durable:
            await server.wait_for_no_commit()
        kills, crashes = [], []
        async with booking(server, tmp_path / "api") as (instance, bookers):

            async def kill_a_worker() -> None:
                os.kill(instance.workers()[0], signal.SIGKILL)

            async def crash_the_database() -> None:
                await asyncio.to_thread(server.crash_database)

            for _ in range(ROUNDS):
                kills.append(await hit(bookers, kill_a_worker))
                await asyncio.sleep(KILL_EVERY_SECONDS / 2)
                crashes.append(await hit(bookers, crash_the_database))
                await asyncio.sleep(KILL_EVERY_SECONDS / 2)
            assert len(instance.workers()) == 2, instance.log()
            assert await instance.is_ready()
        owner = await asyncpg.connect(server.owner_url)
        database = await Database.connect(server.environment["OFFICEPRO_DATABASE_URL"])
        try:
            there = await found(owner, database, bookers)
            more = f"pauses at most {max(kills):.1f} s for a worker, {max(crashes):.1f} s for the database"
            report(capsys, f"{ROUNDS} workers killed, {ROUNDS} crashes of PostgreSQL", there, bookers, more)
            if is_durable:
                assert there.faults == (0,) * 7
                assert there.unknown > 0  # the fault had an effect
                assert await seen(owner, database, bookers) == [*PLANTED]
            else:
                assert there.lost > 0
        finally:
            await database.close()
            await owner.close()


async def seen(owner: asyncpg.Connection, database: Database, bookers: Bookers) -> list[str]:
    """Insert faults and return which of them the check finds, as its control."""
    told = []
    for name, fault in PLANTED.items():
        planting = owner.transaction()
        await planting.start()
        await owner.execute(f"SET LOCAL session_replication_role = replica; {fault}")
        if getattr(await found(owner, database, bookers), name):
            told.append(name)
        await planting.rollback()
    return told


def report(capsys: pytest.CaptureFixture[str], blows: str, there: Found, bookers: Bookers, more: str) -> None:
    """Print the result."""
    with capsys.disabled():
        answers = ", ".join(f"{count} × {told}" for told, count in sorted(bookers.answers.items()))
        print(f"\n{blows}: {there}; {more}; answers {answers}")  # noqa: T201 -- result of the drill
    assert bookers.unsettled == 0
    assert bookers.without_retry_after == 0
    assert not [told for told in bookers.answers if told.startswith("500")]
