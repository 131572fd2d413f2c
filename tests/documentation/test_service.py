"""GET /healthz and GET /readyz"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from litestar import Litestar

from officepro import service
from officepro.foundation.database import _TAKE_ROOM, _WITHOUT_MEMORY, ROOM_BYTES, Database, Mode
from officepro.settings import Settings
from tests.world import House

DISK_FULL = "DO $$ BEGIN RAISE disk_full; END $$"
LOCKED = "DO $$ BEGIN RAISE lock_not_available; END $$"
SLOW = "SELECT pg_sleep(1)"


@contextmanager
def state(app: Litestar, name: str, value: object) -> Iterator[None]:
    """The application with another piece of its state."""
    before: Any = app.state.get(name)
    setattr(app.state, name, value)
    try:
        yield
    finally:
        setattr(app.state, name, before)


async def test_a_process_that_answers_is_alive_and_ready(house: House) -> None:
    for path, status in (("/healthz", "alive"), ("/readyz", "ready")):
        answer = await house.stranger.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": status})


async def test_a_process_that_is_about_to_stop_is_alive_but_not_ready(house: House, inner_app: Litestar) -> None:
    with state(inner_app, "draining", True):
        assert (await house.stranger.get("/healthz")).status_code == 200
        answer = await house.stranger.get("/readyz")

    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.json()["missing"] == ["this process is shutting down"]
    assert answer.headers["retry-after"] == "1"


async def test_without_its_database_it_is_not_ready(house: House, inner_app: Litestar, settings: Settings) -> None:
    gone = await Database.connect(settings.database_url, mode=Mode(settings.database_mode), pool_size=1)
    await gone.close()
    with state(inner_app, "database", gone):
        answer = await house.stranger.get("/readyz")

    assert (answer.status_code, answer.json()["missing"]) == (503, ["the database does not respond within 2 seconds"])


async def test_with_another_schema_than_its_own_it_is_not_ready(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    known = service._revisions()
    monkeypatch.setattr(service, "_revisions", lambda: ["9999", *known])
    answer = await house.stranger.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["missing"][0].endswith("instead of 9999: run officepro migrate")


async def test_a_newer_version_s_schema_does_not_stop_this_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    older = service._revisions()[1:]
    monkeypatch.setattr(service, "_revisions", lambda: older)

    assert (await house.stranger.get("/readyz")).status_code == 200


async def test_a_full_disk_is_told_and_so_is_room_that_was_made(
    house: House, inner_app: Litestar, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ROOM_IS_REMEMBERED_SECONDS", 0.0)
    with state(inner_app, "room", service.Room(database)):
        with monkeypatch.context() as full:
            full.setattr("officepro.foundation.database._TAKE_ROOM", DISK_FULL)
            answer = await house.stranger.get("/readyz")
        afterwards = await house.stranger.get("/readyz")

    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.json()["missing"] == ["the database cannot write: its disk is full or failing"]
    assert afterwards.status_code == 200


async def test_a_database_that_does_not_say_leaves_it_at_what_was_known(
    house: House, inner_app: Litestar, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ROOM_IS_REMEMBERED_SECONDS", 0.0)
    monkeypatch.setattr(service, "ROOM_IS_TOLD_WITHIN_SECONDS", 0.2)
    told = []
    with state(inner_app, "room", service.Room(database)):
        for look in (SLOW, LOCKED, DISK_FULL, SLOW, LOCKED):
            monkeypatch.setattr("officepro.foundation.database._TAKE_ROOM", look)
            told.append((await house.stranger.get("/readyz")).status_code)

    assert told == [200, 200, 503, 503, 503]


async def test_many_who_ask_at_once_cost_one_look(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def look() -> bool:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return True

    monkeypatch.setattr(database, "has_room", look)
    room = service.Room(database)

    assert await asyncio.gather(*(room.is_left() for _ in range(50))) == [True] * 50
    assert looks == 1


async def test_the_look_takes_room_and_leaves_nothing_behind(database: Database) -> None:
    """Were it done in memory, a full disk would not be noticed."""
    async with database.system_transaction() as db:
        await db.execute(_WITHOUT_MEMORY)
        plan = json.loads(await db.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, WAL, FORMAT json) {_TAKE_ROOM}"))[0]["Plan"]

    assert await database.has_room()
    assert plan["Temp Written Blocks"] * 8192 >= ROOM_BYTES
    assert plan["WAL Records"] == 0
    assert plan["Shared Dirtied Blocks"] == 0
