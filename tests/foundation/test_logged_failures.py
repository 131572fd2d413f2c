"""The log reports how the database failed a request; the response does not."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from litestar import Litestar

from officepro import app as application
from officepro.foundation import database as databases
from officepro.settings import Settings
from tests.activity.test_every_disclosing_route import visit
from tests.conftest import alive
from tests.world import House, Office, make_office


@pytest.fixture
async def office(house: House, straight: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """A practice of a service with a single connection, which waits three seconds for a lock."""
    monkeypatch.setattr(databases, "LOCK_TIMEOUT_SECONDS", 3)
    app = application.create_inner_app(straight.but(database_pool_size="1"))
    async with alive(app), House.open(application.enclose(app), house.owner, straight) as own_house:
        yield await make_office(own_house, "BusyOffice", "America/New_York")


async def test_a_lock_and_a_full_pool_are_told_apart(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    owner = office.house.owner
    async with owner.transaction():  # holds the lock that every booking of the practice acquires
        await owner.execute("SELECT FROM log_head WHERE practice_id = $1 FOR UPDATE", office.practice_id)
        booking = asyncio.create_task(office.partner.post("/visits/book", json=visit(office)))
        await asyncio.sleep(0.3)
        listed = await office.partner.get("/tags")
        booked = await booking

    for answer in (listed, booked):
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert "lock" not in answer.text
    found = [vars(record) for record in caplog.records if record.message == "request_unavailable"]
    logged = {(line["method"], line["route"]): (line["kind"], line.get("sqlstate")) for line in found}
    assert logged == {
        ("GET", "/v1/{PPass}/tags"): ("pool_full", None),
        ("POST", "/v1/{PPass}/visits/book"): ("lock_timeout", "55P03"),
    }
    assert {line["requestId"] for line in found} == {answer.headers["X-Request-Id"] for answer in (listed, booked)}


async def test_at_level_debug_each_request_is_a_line(
    demo_office: Office, inner_app: Litestar, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "officepro")
    async with House.open(application.enclose(inner_app), demo_office.house.owner, demo_office.house.settings) as house:
        answer = await house.stranger.get(f"{demo_office.path}/prospects/1001")

    [line] = [vars(record) for record in caplog.records if record.message == "request"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/{PPass}/prospects/{id}", 401)
    assert line["requestId"] == answer.headers["X-Request-Id"]
    assert line["milliseconds"] >= 0
