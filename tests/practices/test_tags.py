"""GET PUT /v1/admin/{PPass}/tags"""

from tests.practices.admin import faults, put, shown
from tests.world import Office


async def test_tags_are_added_and_renamed(demo_office: Office) -> None:
    answer = await put(demo_office, "/tags", [{"tag": "Recall"}, {"id": 1, "tag": "Very important"}])

    assert answer.json() == {
        "message": "Tags saved successfully",
        "data": [{"id": 3, "tag": "Recall"}, {"id": 1, "tag": "Very important"}],
    }
    assert await shown(demo_office, "/tags") == [
        {"id": 2, "tag": "Newsletter"},
        {"id": 3, "tag": "Recall"},
        {"id": 1, "tag": "Very important"},
    ]
    seen = (await demo_office.partner.get("/tags")).json()["data"]
    assert {"TagID": 3, "Tag": "Recall"} in seen


async def test_a_name_that_is_there_already_is_that_tag(demo_office: Office) -> None:
    for _ in range(2):
        answer = await put(demo_office, "/tags", [{"tag": "VIP"}, {"tag": "Recall"}])
        assert answer.json()["data"] == [{"id": 1, "tag": "VIP"}, {"id": 3, "tag": "Recall"}]


async def test_two_tags_cannot_have_one_name(demo_office: Office) -> None:
    answer = await put(demo_office, "/tags", [{"id": 2, "tag": "VIP"}])

    assert (answer.status_code, answer.json()["code"]) == (409, "tag_name_taken")
    assert len(await shown(demo_office, "/tags")) == 2


async def test_every_fault_is_named_by_its_index(demo_office: Office) -> None:
    answer = await put(demo_office, "/tags", [{"tag": "A"}, {"tag": "A"}, {"id": 2, "tag": "B"}, {"id": 2, "tag": "C"}])

    assert (answer.status_code, list(faults(answer))) == (400, ["body[1].tag", "body[3].id"])


async def test_the_same_name_and_id_of_another_practice_are_left_alone(
    demo_office: Office, berlin_office: Office
) -> None:
    await put(demo_office, "/tags", [{"id": 1, "tag": "Mine"}])

    assert {"id": 1, "tag": "VIP"} in await shown(berlin_office, "/tags")
