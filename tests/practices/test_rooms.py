"""GET PUT /v1/admin/{PPass}/rooms"""

from tests.practices.admin import faults, put, shown, version
from tests.world import Office


async def test_rooms_are_added_renamed_and_closed(demo_office: Office) -> None:
    before = await version(demo_office)
    answer = await put(demo_office, "/rooms", [{"id": 101, "active": False}, {"name": "Laser"}])

    assert answer.json() == {
        "message": "Rooms saved successfully",
        "data": [{"id": 101, "name": "Room 1", "active": False}, {"id": 103, "name": "Laser", "active": True}],
    }
    assert [room["id"] for room in await shown(demo_office, "/rooms")] == [101, 102, 103]
    assert await version(demo_office) == before + 1


async def test_what_is_shown_can_be_put_back(demo_office: Office) -> None:
    before = await shown(demo_office, "/rooms")

    assert (await put(demo_office, "/rooms", before)).json()["data"] == before


async def test_every_fault_is_named_by_its_index(demo_office: Office) -> None:
    answer = await put(demo_office, "/rooms", [{"id": 101}, {"id": 101}, {"active": True}])

    assert answer.status_code == 400
    assert faults(answer) == {
        "body[1].id": "duplicates body[0]",
        "body[2].name": "is required for a new item",
    }


async def test_the_same_id_of_another_practice_is_left_alone(demo_office: Office, berlin_office: Office) -> None:
    await put(demo_office, "/rooms", [{"id": 101, "name": "Mine"}])

    assert (await shown(berlin_office, "/rooms"))[0]["name"] == "Room 1"


async def test_a_list_of_too_many_is_refused_before_they_are_read(demo_office: Office) -> None:
    content = b"[" + b"{}," * 300_000 + b"{}]"
    answer = await demo_office.house.admin.put(
        f"/v1/admin/{demo_office.practicepass}/rooms", content=content, headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [{"location": "body", "message": "must have at most 10000 items"}],
    )
