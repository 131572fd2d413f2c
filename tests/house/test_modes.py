"""The same house in each way of binding a practice: on one server, behind a transaction pooler, distributed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from officepro.app import create_inner_app
from officepro.door import Door
from officepro.foundation.database import Mode
from officepro.foundation.embedded import EmbeddedServer
from officepro.settings import Settings
from tests.citus import looking_distributed
from tests.conftest import alive
from tests.pooler import Pooler
from tests.world import House, Office, make_office


@pytest.fixture(params=[*Mode, "through PgBouncer"])
async def office(
    request: pytest.FixtureRequest,
    house: House,
    settings: Settings,
    server: EmbeddedServer,
    pooler: Pooler,
    database_name: str,
) -> AsyncIterator[Office]:
    """A practice of a service that was started in this mode."""
    mode = Mode.POOLED if request.param == "through PgBouncer" else request.param
    url = pooler.url(database_name) if request.param == "through PgBouncer" else server.url(database_name, "officepro")
    app = create_inner_app(settings.but(database_mode=mode, database_url=url, database_pool_size="2"))
    async with AsyncExitStack() as stack:
        if mode is Mode.DISTRIBUTED:
            await stack.enter_async_context(looking_distributed(house.owner))
        await stack.enter_async_context(alive(app))
        own_house = await stack.enter_async_context(House.open(Door(app), house.owner, settings))
        yield await make_office(own_house, "ModeOffice", "America/New_York")


async def test_prospects_are_made_found_read_and_changed(office: Office) -> None:
    created = await office.partner.post(
        "/prospects", json={"FirstName": "Grace", "LastName": "Hopper", "ProviderID": 1}
    )
    path = f"/prospects/{created.json()['data']['PatientID']}"
    changed = await office.partner.put(path, json={"City": "Arlington"}, headers={"If-Match": created.headers["ETag"]})
    stale = await office.partner.put(path, json={"City": "Rome"}, headers={"If-Match": created.headers["ETag"]})
    found = await office.partner.get("/prospects", params={"search": "hop gra"})

    assert (created.status_code, changed.status_code, stale.status_code) == (201, 200, 412)
    assert [person["City"] for person in found.json()["data"]] == ["Arlington"]
    assert (await office.partner.get(path)).json()["data"]["City"] == "Arlington"
    assert (await office.partner.get("/prospects")).json()["total"] == 2
    assert [row["event"] for row in await office.log()] == ["patient.created", "patient.updated"]


async def test_a_repeat_is_answered_from_what_was_kept(office: Office) -> None:
    key = {"Idempotency-Key": "once"}
    first = await office.partner.post("/prospects", json={"FirstName": "Grace"}, headers=key)
    again = await office.partner.post("/prospects", json={"FirstName": "Grace"}, headers=key)

    assert (first.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replay"] == "true"


async def test_what_the_database_refuses_is_told_by_its_meaning(office: Office) -> None:
    unknown = await office.partner.post("/prospects", json={"FirstName": "Grace", "ProviderID": 77})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_provider")

    assert (await office.partner.get("/tags")).status_code == 200  # the connection is as good as before


async def test_tags_are_put_on_and_taken_off(office: Office) -> None:
    path = f"/tags/prospects/{office.ada}"
    assert (await office.partner.post(path, json={"tagId": office.vip})).status_code == 200
    assert (await office.partner.post(path, json={"tagId": office.newsletter})).status_code == 200
    assert (await office.partner.delete(f"{path}/{office.vip}")).json()["data"]["Removed"] == 1
    assert (await office.partner.delete(path)).json()["data"]["Removed"] == 1
    assert (await office.partner.delete("/tags/prospects/999")).status_code == 404


async def test_another_practice_stays_out_of_sight(office: Office) -> None:
    other = await make_office(office.house, "OtherModeOffice", "Europe/Berlin")
    await other.partner.post("/prospects", json={"FirstName": "Berta"})

    for _ in range(3):
        assert (await office.partner.get("/prospects", params={"search": "berta"})).json()["total"] == 0
        assert (await other.partner.get("/prospects", params={"search": "berta"})).json()["total"] == 1


async def test_the_service_says_that_it_is_ready(office: Office) -> None:
    assert (await office.house.stranger.get("/readyz")).status_code == 200
