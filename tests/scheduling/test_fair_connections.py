"""A practice whose writes wait for a lock leaves connections for other practices."""

import asyncio
import time
from collections.abc import Awaitable

import asyncpg
import httpx
import pytest

from officepro.foundation.checkout import Checkout
from tests.world import Office

HELD_SECONDS = 3.5  # longer than a request waits for a connection
LONGEST_SECONDS = 1.0  # for other practices, on a loaded machine
REQUESTS = 40  # fewer than one key may have in flight


async def timed(request: Awaitable[httpx.Response]) -> tuple[int, float]:
    started = time.monotonic()
    response = await request
    return response.status_code, time.monotonic() - started


async def create(office: Office, number: int, key: str | None) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    person = {"FirstName": "Ada", "LastName": f"Person{number}"}
    return await office.partner.post("/prospects", json=person, headers=headers)


async def beside_a_locked_practice(
    locked: Office, victim: Office, owner: asyncpg.Connection
) -> tuple[list[tuple[int, float]], list[int]]:
    """Return statuses and durations (s) of one practice's calls while another's writes wait for their lock, and the
    statuses of those writes."""
    blocked = []
    answers = []
    async with owner.transaction():
        await owner.execute("SELECT FROM log_head WHERE practice_id = $1 FOR UPDATE", locked.practice_id)
        ends = time.monotonic() + HELD_SECONDS
        for number in range(REQUESTS):
            key = f"held-{number}" if number % 2 else None
            blocked.append(asyncio.create_task(create(locked, number, key)))
        await asyncio.sleep(0.2)
        number = 0
        while time.monotonic() < ends:
            key = f"free-{number}" if number % 2 else None
            answers.append(await timed(create(victim, number, key)))
            answers.append(await timed(victim.partner.get("/visits")))
            number += 1
            await asyncio.sleep(0.05)
    return answers, [response.status_code for response in await asyncio.gather(*blocked)]


async def test_writes_that_wait_for_one_practice_do_not_keep_others_from_connections(
    demo_office: Office, berlin_office: Office, owner: asyncpg.Connection
) -> None:
    answers, statuses = await beside_a_locked_practice(demo_office, berlin_office, owner)

    assert {status for status, _ in answers} <= {200, 201}
    assert max(seconds for _, seconds in answers) < LONGEST_SECONDS
    assert len(answers) >= 10
    assert 201 in statuses  # the writes that waited for the lock were done
    assert set(statuses) <= {201, 503}


async def test_the_control_without_a_share_others_are_refused(
    demo_office: Office, berlin_office: Office, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkout, "_may_take", lambda pool, _: pool._free > 0)

    answers, _ = await beside_a_locked_practice(demo_office, berlin_office, owner)

    assert 503 in {status for status, _ in answers}
