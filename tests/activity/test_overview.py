"""The dashboard's figures are those of the calls that were made."""

from datetime import timedelta

import pytest

from officepro.activity import queries
from officepro.activity.recorder import Call
from officepro.foundation.clock import now
from officepro.foundation.database import Database
from tests.activity.conftest import Written, calls_of, sum_up
from tests.world import House, Office


async def overview(house: House, **filters: object) -> dict[str, object]:
    answer = await house.admin.get("/v1/admin/overview", params={name: str(value) for name, value in filters.items()})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


async def test_the_figures_are_those_of_the_calls(house: House, demo_office: Office, written: Written) -> None:
    for _ in range(7):
        await demo_office.partner.get("/tags")
    for _ in range(3):
        await demo_office.partner.get("/prospects/77")
    await demo_office.newcomer.get("/tags")

    await written()
    figures = await overview(house, practicepass=demo_office.practicepass)
    calls = await calls_of(house.owner, demo_office)
    durations = sorted(call["duration_microseconds"] / 1000 for call in calls)
    assert (figures["totalCalls"], figures["errorCount"], figures["successRate"]) == (11, 3, 72.73)
    assert (figures["callerErrors"], figures["ownErrors"]) == (3, 0)
    assert figures["avgDurationMs"] == pytest.approx(sum(durations) / 11, abs=0.01)
    assert figures["p50DurationMs"] == pytest.approx(durations[5], rel=0.2)
    assert figures["p99DurationMs"] == pytest.approx(durations[-1], rel=0.2)
    assert figures["topEndpoints"][0] | {"avgDurationMs": 0} == {  # type: ignore[index]
        "method": "GET",
        "endpoint": "/v1/{PPass}/tags",
        "calls": 8,
        "errors": 0,
        "avgDurationMs": 0,
    }


async def test_of_one_partner_and_of_one_key(house: House, demo_office: Office, written: Written) -> None:
    await demo_office.partner.get("/tags")
    await demo_office.partner.get("/tags")
    await demo_office.newcomer.get("/tags")

    await written()
    partner, _, newcomer = await calls_of(house.owner, demo_office)
    assert (await overview(house, partnerId=partner["partner_id"]))["totalCalls"] == 2
    assert (await overview(house, keyId=newcomer["api_key_id"]))["totalCalls"] == 1
    other = await overview(house, keyId=newcomer["api_key_id"], partnerId=partner["partner_id"])
    assert other["totalCalls"] == 0


async def test_the_last_days_each_have_their_place(
    house: House, demo_office: Office, database: Database, written: Written
) -> None:
    await written()
    for days, status in ((0, 200), (1, 500), (6, 404), (7, 200)):
        call = Call(now() - timedelta(days=days), "GET", "/v1/me", status, 2000, 1, 1, demo_office.practice_id, "", "")
        async with database.system() as db:
            await queries.write(db, [call])
    await sum_up(database, house.owner)

    week = await overview(house, practicepass=demo_office.practicepass)
    usage = week["usage"]
    assert isinstance(usage, list)
    assert [(day["calls"], day["errors"]) for day in usage] == [(1, 1), *[(0, 0)] * 4, (1, 1), (1, 0)]
    assert usage[-1]["date"] == now().date().isoformat()
    assert (week["totalCalls"], week["callerErrors"], week["ownErrors"]) == (3, 1, 1)
    assert (await overview(house, practicepass=demo_office.practicepass, days=8))["totalCalls"] == 4


async def test_where_nothing_was_called_the_figures_are_nought(house: House, demo_office: Office) -> None:
    figures = await overview(house, practicepass=demo_office.practicepass)

    assert figures["totalCalls"] == figures["successRate"] == figures["p95DurationMs"] == 0
    assert figures["topEndpoints"] == []
    assert len(figures["usage"]) == 7  # type: ignore[arg-type]


@pytest.mark.parametrize("query", ["days=0", "days=91", "days=x", "partnerId=0", "nonsense=1"])
async def test_filters_that_make_no_sense_are_refused(house: House, query: str) -> None:
    assert (await house.admin.get(f"/v1/admin/overview?{query}")).status_code == 400


async def test_a_practice_that_there_is_none_of(house: House) -> None:
    answer = await house.admin.get("/v1/admin/overview?practicepass=Nowhere")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_practice")


async def test_only_the_admin_sees_them(house: House, demo_office: Office) -> None:
    assert (await demo_office.partner_global.get("/admin/overview")).status_code == 401
