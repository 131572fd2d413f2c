"""The request log as the admin reads it: filtered, newest first, part by part."""

from typing import Any

import pytest

from tests.activity.conftest import Written
from tests.world import House, Office

UUID = "0b9c3f0e-7f0a-4c59-9d3b-0a6c1f1f7c52"


async def activity(house: House, office: Office, **filters: object) -> dict[str, Any]:
    params = {"practicepass": office.practicepass} | {name: str(value) for name, value in filters.items()}
    answer = await house.admin.get("/v1/admin/activity", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_call_is_told_whole(house: House, demo_office: Office, written: Written) -> None:
    answer = await demo_office.partner.get("/tags", headers={"X-Request-Id": UUID})

    await written()
    told = await activity(house, demo_office)
    [call] = told["data"]
    assert (told["count"], told["nextCursor"]) == (1, None)
    assert call.pop("time").endswith("Z")
    assert call.pop("durationMs") > 0
    assert call.pop("partnerId")
    assert call.pop("keyId") == int(demo_office.keys["partner"].split("_")[1])
    assert call == {
        "method": "GET",
        "endpoint": "/v1/{PPass}/tags",
        "status": 200,
        "partner": f"partner of {demo_office.practicepass}",
        "practicepass": demo_office.practicepass,
        "ip": "192.0.2.1",
        "requestId": answer.headers["x-request-id"],
        "clientRequestId": UUID,
    }


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (UUID.upper(), True),
        ("01J9ZK3V7Q8W9X0Y1Z2A3B4C5D", True),
        ("4bf92f3577b34da6a3ce929d0e0e4736", True),
        ("0123456789abcdef01234567", True),
        ("Ada.Lovelace@example.com", False),
        ("Ada-Lovelace", False),
        ("555-0100", False),
        ("19841231", False),
        ("4111111111111111", False),
        (f"{UUID}-Ada", False),
        ("a/request:of=mine", False),
    ],
)
async def test_a_client_request_id_is_stored_if_it_can_be_about_nobody(
    house: House, demo_office: Office, written: Written, sent: str, stored: bool
) -> None:
    answer = await demo_office.partner.get("/tags", headers={"X-Request-Id": sent})

    await written()
    [call] = (await activity(house, demo_office))["data"]
    assert answer.headers["X-Client-Request-Id"] == sent
    assert call["clientRequestId"] == (sent if stored else None)


async def test_filters(house: House, demo_office: Office, written: Written) -> None:
    await demo_office.partner.get("/tags")
    await demo_office.partner.get("/prospects/77")
    await demo_office.partner.post("/prospects", json={"FirstName": "John"})
    await demo_office.newcomer.get("/visits")

    await written()
    everything = (await activity(house, demo_office))["data"]
    assert [call["status"] for call in everything] == [403, 201, 404, 200]
    newcomer, created, missed, _ = everything
    for filters, expected in (
        ({"status": "4xx"}, [newcomer, missed]),
        ({"status": 404}, [missed]),
        ({"status": "5xx"}, []),
        ({"method": "POST"}, [created]),
        ({"endpoint": "/v1/{PPass}/prospects/{id}"}, [missed]),
        ({"keyId": newcomer["keyId"]}, [newcomer]),
        ({"partnerId": newcomer["partnerId"]}, [newcomer]),
        ({"from": created["time"]}, [newcomer, created]),
        ({"to": created["time"]}, everything[2:]),
    ):
        found = (await activity(house, demo_office, **filters))["data"]
        assert found == expected, filters


async def test_part_by_part_every_call_comes_once(house: House, demo_office: Office, written: Written) -> None:
    for _ in range(11):
        await demo_office.partner.get("/tags")
    await written()

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        part = await activity(house, demo_office, limit=4, **cursor)
        seen += [call["requestId"] for call in part["data"]]
        if part["nextCursor"] is None:
            break
        cursor = {"cursor": part["nextCursor"]}

    assert len(seen) == len(set(seen)) == 11


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "status=9xx",
        "status=4x",
        "method=HEAD",
        "cursor=nonsense",
        "cursor=////",
        "from=yesterday",
        "from=2026-03-09T00:00:00Z&to=2026-03-08T00:00:00Z",
        "search=Ada",
    ],
)
async def test_filters_that_make_no_sense_are_refused(house: House, query: str) -> None:
    answer = await house.admin.get(f"/v1/admin/activity?{query}")

    assert answer.status_code == 400
    assert answer.json()["errors"]
