"""PATCH /v1/admin/practices/{PPass}"""

from typing import Any

import httpx
import pytest

from tests.practices.admin import faults, version
from tests.world import Office


async def change(office: Office, changes: dict[str, Any], **headers: str) -> httpx.Response:
    return await office.house.admin.patch(
        f"/v1/admin/practices/{office.practicepass}", json=changes, headers=headers or None
    )


async def test_what_is_sent_is_changed_and_the_rest_stays(demo_office: Office) -> None:
    before = (await demo_office.house.admin.get(f"/v1/admin/practices/{demo_office.practicepass}")).json()["data"]

    answer = await change(demo_office, {"slotMinutes": 10, "bookingHorizonDays": 90})

    assert (answer.status_code, answer.json()["message"]) == (200, "Practice updated successfully")
    now = answer.json()["data"]
    assert {name for name in now if now[name] != before[name]} == {"slotMinutes", "bookingHorizonDays", "updatedAt"}
    assert (now["slotMinutes"], now["bookingHorizonDays"]) == (10, 90)


async def test_null_takes_the_horizon_away(demo_office: Office) -> None:
    await change(demo_office, {"bookingHorizonDays": 90})
    answer = await change(demo_office, {"bookingHorizonDays": None})

    assert answer.json()["data"]["bookingHorizonDays"] is None


async def test_workers_learn_of_it_by_the_version(demo_office: Office) -> None:
    before = await version(demo_office)
    await change(demo_office, {"timezone": "America/Chicago"})

    assert await version(demo_office) == before + 1


async def test_a_practice_that_is_not_active_lets_no_partner_in(demo_office: Office) -> None:
    await change(demo_office, {"active": False})

    answer = await demo_office.house.stranger.post(
        f"{demo_office.path}/auth/token", json={"apiKey": demo_office.keys["partner"]}
    )

    assert answer.status_code == 401


async def test_a_change_to_an_older_version_is_refused(demo_office: Office) -> None:
    read = await demo_office.house.admin.get(f"/v1/admin/practices/{demo_office.practicepass}")
    first = await change(demo_office, {"name": "First"}, **{"If-Match": read.headers["ETag"]})
    second = await change(demo_office, {"name": "Second"}, **{"If-Match": read.headers["ETag"]})
    third = await change(demo_office, {"name": "Third"}, **{"If-Match": second.headers["ETag"]})

    assert (first.status_code, second.status_code, third.status_code) == (200, 412, 200)
    assert second.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"practicepass": "Another"}, ["body.practicepass"]),
        ({"timezone": "Atlantis"}, ["body.timezone"]),
        ({"name": None, "active": None}, ["body.name", "body.active"]),
        ({"slotMinutes": 1441}, ["body.slotMinutes"]),
    ],
)
async def test_what_cannot_be_is_refused(demo_office: Office, changes: dict[str, Any], places: list[str]) -> None:
    answer = await change(demo_office, changes)

    assert (answer.status_code, list(faults(answer))) == (400, places)


async def test_an_unknown_practice_is_not_found(demo_office: Office) -> None:
    for name in ("Nowhere", "1", "admin"):
        answer = await demo_office.house.admin.patch(f"/v1/admin/practices/{name}", json={"name": "x"})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_practice")
