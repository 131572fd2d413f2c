"""Deadline for request bodies: at the concurrency limit the request that has waited longest for its body is aborted;
slow requests do not block fast ones."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from officepro import door
from officepro.access import bodies, concurrency
from tests.world import Office


async def dripping(seconds: float) -> AsyncIterator[bytes]:
    yield b'{"FirstName": '
    await asyncio.sleep(seconds)
    yield b'"Grace"}'


async def create_slowly(office: Office, seconds: float) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return await office.partner.post("/prospects", content=dripping(seconds), headers=headers)


async def test_a_body_that_takes_too_long_is_given_up(demo_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LONGEST_SECONDS", 0.2)
    answer = await create_slowly(demo_office, 2)

    assert (answer.status_code, answer.json()["code"]) == (408, "too_slow")
    assert answer.headers["Connection"] == "close"
    assert (await create_slowly(demo_office, 0.05)).status_code == 201


@pytest.mark.parametrize(("patience", "status"), [(0.1, 200), (60.0, 503)], ids=["as it is", "the control"])
async def test_who_keeps_others_out_by_dawdling_makes_room(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch, patience: float, status: int
) -> None:
    monkeypatch.setattr(door, "MAXIMUM_IN_FLIGHT", 5)
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", patience)
    slow = [asyncio.create_task(create_slowly(demo_office, 1.5)) for _ in range(5)]
    await asyncio.sleep(0.5)
    quick = [(await demo_office.partner.get("/tags")).status_code for _ in range(3)]
    ended = [answer.status_code for answer in await asyncio.gather(*slow)]

    assert quick == [status] * 3
    assert sorted(ended) == ([201] * 4 + [408] if status == 200 else [201] * 5)


async def test_who_has_sent_everything_makes_room_for_nobody(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAXIMUM_IN_FLIGHT", 1)
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.0)
    owner = demo_office.house.owner
    async with owner.transaction():
        await owner.execute("SELECT FROM log_head WHERE practice_id = $1 FOR UPDATE", demo_office.practice_id)
        working = asyncio.create_task(demo_office.partner.post("/prospects", json={"FirstName": "Grace"}))
        await asyncio.sleep(0.3)
        turned_away = await demo_office.partner.get("/tags")

    assert (turned_away.status_code, turned_away.json()["code"]) == (503, "overloaded")
    assert (await working).status_code == 201


async def test_who_takes_long_keeps_no_quick_one_out(demo_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAXIMUM_FRESH", 2)
    monkeypatch.setattr(concurrency, "FRESH_SECONDS", 0.5)
    owner, told = demo_office.house.owner, []
    async with owner.transaction():
        await owner.execute("SELECT FROM log_head WHERE practice_id = $1 FOR UPDATE", demo_office.practice_id)
        slow = [
            asyncio.create_task(demo_office.partner.post("/prospects", json={"FirstName": name}))
            for name in ("Grace", "Edith")
        ]
        await asyncio.sleep(0.1)
        told.append((await demo_office.partner.get("/tags")).status_code)
        await asyncio.sleep(0.6)
        told.append((await demo_office.partner.get("/tags")).status_code)
        monkeypatch.setattr(door, "MAXIMUM_IN_FLIGHT", 2)
        told.append((await demo_office.partner.get("/tags")).status_code)

    assert told == [503, 200, 503]
    assert {answer.status_code for answer in await asyncio.gather(*slow)} == {201}


async def test_whose_body_is_awaited_waits_for_no_turn_of_ours(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAXIMUM_FRESH", 2)
    slow = []
    for _ in range(5):
        slow.append(asyncio.create_task(create_slowly(demo_office, 0.8)))
        await asyncio.sleep(0.05)

    assert (await demo_office.partner.get("/tags")).status_code == 200
    assert {answer.status_code for answer in await asyncio.gather(*slow)} == {201}
