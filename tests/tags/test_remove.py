"""DELETE /v1/{PPass}/tags/prospects/{id}/{tagId} and /v1/{PPass}/tags/prospects/{id}"""

import json

import pytest

from tests.world import Office


@pytest.fixture
async def tagged(demo_office: Office) -> Office:
    """Ada wears both tags."""
    for tag_id in (demo_office.vip, demo_office.newsletter):
        await demo_office.partner.post(f"/tags/prospects/{demo_office.ada}", json={"tagId": tag_id})
    return demo_office


async def test_one_tag_comes_off_and_the_others_stay(tagged: Office) -> None:
    answer = await tagged.partner.delete(f"/tags/prospects/{tagged.ada}/{tagged.vip}")

    assert answer.status_code == 200
    assert answer.json() == {"message": "Tag removed successfully", "data": {"PatientID": 1001, "Removed": 1}}
    assert await tagged.tags_of(tagged.ada) == [tagged.newsletter]
    last = (await tagged.log())[-1]
    assert (last["event"], last["entity_id"]) == ("patient.untagged", tagged.ada)
    assert json.loads(last["data"]) == {"PatientID": tagged.ada, "TagIDs": [tagged.vip]}


async def test_all_tags_come_off_as_one_event(tagged: Office) -> None:
    answer = await tagged.partner.delete(f"/tags/prospects/{tagged.ada}")

    assert answer.status_code == 200
    assert answer.json() == {"message": "All tags removed successfully", "data": {"PatientID": 1001, "Removed": 2}}
    assert await tagged.tags_of(tagged.ada) == []
    events = [row for row in await tagged.log() if row["event"] == "patient.untagged"]
    assert [json.loads(row["data"])["TagIDs"] for row in events] == [[tagged.vip, tagged.newsletter]]


@pytest.mark.parametrize("path", ["/tags/prospects/1001/1", "/tags/prospects/1001/4711", "/tags/prospects/1001"])
async def test_taking_off_what_is_not_worn_is_no_error_and_no_event(demo_office: Office, path: str) -> None:
    answer = await demo_office.partner.delete(path)

    assert (answer.status_code, answer.json()["data"]["Removed"]) == (200, 0)
    assert await demo_office.log() == []


@pytest.mark.parametrize("path", ["/tags/prospects/999/1", "/tags/prospects/999"])
async def test_nothing_comes_off_somebody_who_is_not_there(demo_office: Office, path: str) -> None:
    answer = await demo_office.partner.delete(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_prospect")


async def test_nobody_takes_tags_off_another_practice_s_prospect(tagged: Office, berlin_office: Office) -> None:
    await berlin_office.house.owner.execute(
        "INSERT INTO patient (practice_id, patient_id, first_name) VALUES ($1, 5005, 'Only here')", tagged.practice_id
    )
    await tagged.partner.post("/tags/prospects/5005", json={"tagId": tagged.vip})

    for path in ("/tags/prospects/5005", f"/tags/prospects/5005/{tagged.vip}"):
        answer = await berlin_office.partner.delete(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_prospect")
    assert (await berlin_office.partner.delete(f"/tags/prospects/{berlin_office.ada}")).json()["data"]["Removed"] == 0

    assert await tagged.tags_of(5005) == [tagged.vip]
    assert await tagged.tags_of(tagged.ada) == [tagged.vip, tagged.newsletter]


async def test_every_fault_of_the_address_is_named(demo_office: Office) -> None:
    answer = await demo_office.partner.delete("/tags/prospects/none/0?force=true")

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == ["path.id", "path.tagId", "query.force"]


async def test_the_tags_show_on_the_prospect_until_they_are_off(tagged: Office) -> None:
    worn = (await tagged.partner.get(f"/prospects/{tagged.ada}")).json()["data"]["Tags"]
    assert [tag["Tag"] for tag in worn] == ["Newsletter", "VIP"]

    await tagged.partner.delete(f"/tags/prospects/{tagged.ada}")
    assert (await tagged.partner.get(f"/prospects/{tagged.ada}")).json()["data"]["Tags"] == []
